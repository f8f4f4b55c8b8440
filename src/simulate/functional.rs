//! Density functionals of NWChem 7.0.2, by the names in its directive `xc`.
//!
//! The names are those of its parser (`xc_inp.F`). Each was run with NWChem 7.0.2 on water at
//! 3-21G; names that it refused, that gave no energy, or that need a further directive are left
//! out.

use super::SettingFault;

/// Exchange and correlation functionals in one name.
const COMPLETE: &str = "acm b3lyp beckehandh hcth becke97 becke97-1 hcth120 hcth147 becke98 pbe0 becke97gga1 hcth407 hcthp14 becke97-2 \
    ft97 mpw1k hcth407p xctpssh becke97-3 bop pbeop mpw1b95 mpwb1k b1b95 bb1k pw6b95 pwb6k m05 m05-2x vs98 m06-l \
    m06-hf m06 revm06 revm06-l m06-2x m08-hx m08-so m11 m11-l sogga sogga11 sogga11-x becke97-d ssb-d kt1 kt2 \
    bhlyp b3p86 b3pw91 pbe96 dldf s12g s12h mvs hle16 scan scanl scan0 rscan ncap";

/// Exchange functionals; a factor may follow.
const EXCHANGE: &str = "hfexch becke88 slater xpbe96 gill96 xperdew91 xhcth xbecke97 xbecke97-1 optx mpw91 xft97 xpkzb99 xtpss03 rpbe \
    revpbe xpw6b95 xpwb6k xm05 xm05-2x xvs98 xm06-l xm06-hf xm06 xm06-2x xm08-hx xm08-so xm11 xm11-l xsogga \
    xsogga11 xsogga11-x becke86b xperdew86 xmvs15 xncap";

/// Correlation functionals; a factor may follow.
const CORRELATION: &str = "lyp perdew81 perdew86 perdew91 pw91lda vwn_1 vwn_2 vwn_3 vwn_4 vwn_5 vwn_1_rpa cpbe96 chcth cbecke97 \
    cbecke97-1 cft97 cpkzb99 ctpss03 op bc95 cpw6b95 cpwb6k cm05 cm05-2x cvs98 cm06-l cm06-hf cm06 cm06-2x cm08-hx \
    cm08-so cm11 cm11-l csogga csogga11 csogga11-x cvpbe09";

/// Names that NWChem accepts and that do not give the energy of the functional, and the reasons.
const UNUSABLE: &[(&str, &str)] = &[
    (
        "mp2",
        "it is a part of double hybrids, which need a calculation of their own",
    ),
    (
        "b2plyp",
        "it is a double hybrid, whose MP2 part needs a calculation of its own",
    ),
    ("lb94", "it is a potential without an energy"),
    ("srhfexch", NEEDS_CAM),
    ("xwpbe", NEEDS_CAM),
    ("xcamb88", NEEDS_CAM),
    ("xcampbe96", NEEDS_CAM),
    ("xcamlsd", NEEDS_CAM),
    ("xbnl07", NEEDS_CAM),
    ("hse03", NEEDS_CAM),
    ("cam-s12g", NEEDS_CAM),
    ("cam-s12h", NEEDS_CAM),
    ("n12", "it does not converge in NWChem 7.0.2"),
    ("xn12", "it does not converge in NWChem 7.0.2"),
];
const NEEDS_CAM: &str = "its range separation needs the directive `cam`, which is not written";

/// Names in other programs, without `-` and `_`, and the same functionals in NWChem.
const SYNONYMS: &[(&str, &str)] = &[
    ("pbe", "xpbe96 cpbe96"),
    ("pbepbe", "xpbe96 cpbe96"),
    ("blyp", "becke88 lyp"),
    ("bp86", "becke88 perdew86"),
    ("bp", "becke88 perdew86"),
    ("bpw91", "becke88 perdew91"),
    ("svwn", "slater vwn_5"),
    ("svwn5", "slater vwn_5"),
    ("svwn3", "slater vwn_3"),
    ("lsda", "slater vwn_5"),
    ("lda", "slater vwn_5"),
    ("spw92", "slater pw91lda"),
    ("pw91", "xperdew91 perdew91"),
    ("pw91pw91", "xperdew91 perdew91"),
    ("olyp", "optx lyp"),
    ("revpbe", "revpbe cpbe96"),
    ("rpbe", "rpbe cpbe96"),
    ("tpss", "xtpss03 ctpss03"),
    ("tpssh", "xctpssh"),
    ("pkzb", "xpkzb99 cpkzb99"),
    ("pbe1pbe", "pbe0"),
    ("pbeh", "pbe0"),
    ("b97", "becke97"),
    ("b971", "becke97-1"),
    ("b972", "becke97-2"),
    ("b973", "becke97-3"),
    ("b97d", "becke97-d"),
    ("b98", "becke98"),
    ("bhandhlyp", "bhlyp"),
    ("m062x", "m06-2x"),
    ("m06l", "m06-L"),
    ("m052x", "m05-2x"),
    ("m06hf", "m06-hf"),
    ("m11l", "m11-L"),
    ("mpw1pw91", "HFexch 0.25 mpw91 0.75 perdew91"),
];

/// Refuses text that is not a functional of NWChem 7.0.2; case does not matter.
pub(super) fn check(functional: &str) -> Result<(), SettingFault> {
    let words: Vec<String> = functional
        .split_whitespace()
        .map(str::to_ascii_lowercase)
        .collect();
    let mut may_be_scaled = false;
    let (mut exchange, mut correlation) = (false, false);
    for word in &words {
        if is_in(COMPLETE, word) {
            (may_be_scaled, exchange, correlation) = (false, true, true);
        } else if let Some((_, why)) = UNUSABLE.iter().find(|(name, _)| name == word) {
            return Err(fault(
                format!("`{word}` cannot be used as a functional of NWChem: {why}"),
                "choose another functional, or run NWChem by `engine: command`".to_owned(),
            ));
        } else if is_in(EXCHANGE, word) {
            (may_be_scaled, exchange) = (true, true);
            // These are complete methods by themselves.
            correlation |= ["hfexch", "slater"].contains(&word.as_str());
        } else if is_in(CORRELATION, word) {
            (may_be_scaled, correlation) = (true, true);
        } else if may_be_scaled && ["local", "nonlocal"].contains(&word.as_str()) {
        } else if may_be_scaled && factor(word).is_some() {
            may_be_scaled = false;
        } else {
            return Err(unknown(functional, word));
        }
    }
    match (exchange, correlation) {
        (true, true) => Ok(()),
        (true, false) => Err(fault(
            format!("`{functional}` is exchange without correlation"),
            match synonym(&plain(functional)) {
                Some(whole) => format!("write `{whole}`"),
                None => format!("name a correlation functional too: `{functional} lyp`"),
            },
        )),
        (false, _) => Err(fault(
            format!("`{functional}` is correlation without exchange"),
            format!("name an exchange functional too: `becke88 {functional}`"),
        )),
    }
}

fn fault(message: String, hint: String) -> SettingFault {
    SettingFault {
        setting: "method",
        message,
        hint,
    }
}

/// A name in lower case without separators, whose use differs between programs.
fn plain(functional: &str) -> String {
    let small = functional.to_ascii_lowercase();
    small.replace(['-', '_', ' ', '(', ')'], "")
}

fn is_in(names: &str, word: &str) -> bool {
    names.split(' ').any(|name| name == word)
}

/// A number in Fortran syntax: `0.2`, `1d0`.
fn factor(word: &str) -> Option<f64> {
    word.replace('d', "e")
        .parse()
        .ok()
        .filter(|x: &f64| x.is_finite())
}

fn unknown(functional: &str, word: &str) -> SettingFault {
    let message = match functional.eq_ignore_ascii_case(word) {
        true => format!("`{functional}` is no functional of NWChem 7.0.2"),
        false => format!("`{word}` in `{functional}` is no functional of NWChem 7.0.2"),
    };
    let plain = plain(functional);
    let undispersed = [
        "d3bj", "d3zero", "d3", "d4", "d2", "dispvdw3", "dispvdw2", "disp",
    ]
    .iter()
    .find_map(|ending| plain.strip_suffix(ending));
    let hint = if let Some(words) = synonym(&plain) {
        format!("NWChem spells it `{words}`")
    } else if let Some(words) = undispersed.and_then(synonym) {
        format!("NWChem spells it `{words}`, and this engine adds no dispersion correction")
    } else if plain.starts_with("wb97") || plain.starts_with("cam") {
        "its range separation is not available here: choose `pbe0`, `m06-2x`, or run another program by `engine: qcengine` or `engine: command`".to_owned()
    } else {
        let names = COMPLETE.split(' ').chain(EXCHANGE.split(' '));
        let close = names
            .map(|name| (strsim::damerau_levenshtein(name, &plain), name))
            .filter(|(distance, _)| *distance <= 2)
            .min();
        match close {
            Some((_, name)) => format!("did you mean `{name}`?"),
            None => {
                "for example `b3lyp`, `pbe0`, `m06-2x`, `xpbe96 cpbe96`, `becke88 lyp`".to_owned()
            }
        }
    };
    fault(message, hint)
}

/// NWChem's spelling of a name without `-` and `_`.
fn synonym(plain: &str) -> Option<&'static str> {
    let known = SYNONYMS.iter().find(|(name, _)| *name == plain);
    let same = || {
        let mut names = COMPLETE.split(' ');
        names.find(|name| name.replace('-', "") == plain)
    };
    known.map(|(_, words)| *words).or_else(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(functional: &str) -> String {
        check(functional).unwrap_err().hint
    }

    #[test]
    fn names_of_other_programs_are_refused_in_the_words_of_nwchem() {
        for (name, words) in [
            ("pbe", "`xpbe96 cpbe96`"),
            ("BLYP", "`becke88 lyp`"),
            ("svwn", "`slater vwn_5`"),
            ("M062X", "`m06-2x`"),
            ("tpss", "`xtpss03 ctpss03`"),
            ("revPBE", "`revpbe cpbe96`"),
            ("b3lyp-d3", "`b3lyp`"),
            ("PBE-D3(BJ)", "`xpbe96 cpbe96`"),
            ("b3lyb", "`b3lyp`"),
        ] {
            assert!(hint(name).contains(words), "{name}: {}", hint(name));
        }
    }

    #[test]
    fn sums_of_parts_have_exchange_and_correlation() {
        for functional in [
            "xpbe96 cpbe96",
            "XPBE96 1.0 CPBE96 1d0",
            "becke88 nonlocal 0.72 slater local lyp",
            "HFexch",
            "scan",
        ] {
            assert_eq!(check(functional), Ok(()), "{functional}");
        }
        for functional in [
            "lyp",
            "becke88",
            "b3lyp 0.5",
            "0.5 slater",
            "cpbe96 local",
            "hse03",
        ] {
            assert!(check(functional).is_err(), "{functional}");
        }
    }
}
