//! Report page of a run directory.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::run_dir;
use crate::config::campaign::LoadedCampaign;
use crate::config::campaign::Schedule;
use crate::exec::{HIDDEN, Secrets, looks_secret};
use crate::plan::Plan;
use crate::report::{self, PageContext, ReportError, RunOrigin, RunState};
use crate::store::Store;

/// Writes the report page of a run.
///
/// # Errors
///
/// Fails if the database cannot be read or the page cannot be written.
pub async fn write(
    store: &mut Store,
    dir: &Path,
    context: &PageContext,
) -> Result<(), ReportError> {
    let page = report::page(store, context).await?;
    report::write_page(dir, &page)
}

/// Returns the data of the report page of the run in `dir` that are not in the database.
pub fn page_context(
    dir: &Path,
    loaded: &LoadedCampaign,
    plan: &Plan,
    state: RunState,
) -> PageContext {
    let methods = plan.methods.iter();
    PageContext {
        state,
        level_of_theory: plan.level_of_theory(),
        constraints: plan.constraints.iter().map(|c| c.text.clone()).collect(),
        site: loaded.site.clone(),
        partitions: (methods.clone())
            .map(|(name, method)| (name.clone(), method.partition_name.clone()))
            .collect(),
        cores: methods
            .map(|(name, method)| (name.clone(), method.cores_of_task()))
            .collect(),
        target: plan.stop.target,
        origin: origin(dir, loaded, plan),
        at: jiff::Timestamp::now().as_millisecond(),
    }
}

/// Settings of the run, as its directory has them, without secrets, since a page is passed on.
fn origin(dir: &Path, loaded: &LoadedCampaign, plan: &Plan) -> RunOrigin {
    let partitions = loaded.site.partitions.values();
    let given = partitions.flat_map(|partition| partition.environment.clone());
    let secrets = Secrets::among(given);
    let text = |name: &str| {
        let text = fs::read_to_string(dir.join(name)).unwrap_or_default();
        without_secrets(&text, &secrets)
    };
    RunOrigin {
        directory: dir
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        seed: plan.seed,
        is_repeatable: plan.schedule == Schedule::Batch,
        campaign: text(run_dir::CAMPAIGN),
        site: text(run_dir::SITE),
    }
}

/// Returns a YAML text without `secrets`, values of keys that look like secrets, and the arguments of
/// the command of `notify`, among which are private addresses; empty if it is not YAML.
fn without_secrets(text: &str, secrets: &Secrets) -> String {
    let Ok(mut whole) = serde_saphyr::from_str::<Value>(text) else {
        return String::new();
    };
    if let Some(Value::Array(words)) = whole.pointer_mut("/notify/command") {
        let arguments = words.iter_mut().skip(1);
        arguments.for_each(|word| *word = HIDDEN.into());
    }
    hide_in(&mut whole, secrets);
    serde_saphyr::to_string(&whole).unwrap_or_default()
}

fn hide_in(value: &mut Value, secrets: &Secrets) {
    match value {
        Value::String(text) => *text = secrets.hide(text),
        Value::Array(values) => values.iter_mut().for_each(|value| hide_in(value, secrets)),
        Value::Object(values) => {
            for (name, value) in values {
                match value {
                    Value::String(_) | Value::Number(_) if looks_secret(name) => {
                        *value = HIDDEN.into();
                    }
                    value => hide_in(value, secrets),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_shown_without_secrets_of_any_form() {
        let site = "\
name: lab
setup:
- module load xtb
- export XTB_LICENSE_TOKEN='two words' OMP_NUM_THREADS=4
partitions:
  qc:
    environment:
      API_KEY: '1234'
      HF_TOKEN: |
        -----BEGIN-----
        line of a key
      PLAIN_PASSWORD: \"with \\\"quotes\\\"\"
      COPY: https://me:hunter22@example.org/?token=abcdefgh
      OMP_STACKSIZE: 4G
";
        let secrets = Secrets::among([("API_KEY".to_owned(), "1234".to_owned())].into_iter());
        let shown = without_secrets(site, &secrets);
        for secret in [
            "two words",
            "1234",
            "line of a key",
            "quotes",
            "hunter22",
            "abcdefgh",
        ] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
        for word in [
            "module load xtb",
            "OMP_NUM_THREADS=4",
            "OMP_STACKSIZE: 4G",
            "API_KEY: ",
            "example.org",
        ] {
            assert!(shown.contains(word), "{word}: {shown}");
        }
        // The same settings, in the same order.
        let keys = |text: &str| -> Vec<String> {
            let keys = text
                .lines()
                .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()));
            keys.filter(|key| key.chars().all(|c| c.is_alphabetic() || c == '_'))
                .collect()
        };
        assert_eq!(keys(&shown), keys(site));
    }

    #[test]
    fn the_address_of_a_chat_is_not_shown() {
        let campaign = "name: x\nnotify:\n  command: [curl, --json, '@-', https://chat.example.org/hooks/T0/B0/xyzzy]\n  events: [end]\n";
        let shown = without_secrets(campaign, &Secrets::default());
        assert!(
            !shown.contains("xyzzy") && !shown.contains("chat.example.org"),
            "{shown}"
        );
        assert!(shown.contains("curl") && shown.contains("- end"), "{shown}");
    }

    #[test]
    fn settings_of_a_shipped_campaign_are_shown_as_they_are() {
        let read =
            |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
        for path in ["campaigns/quickstart.yml", "campaigns/redoxmers.yml"] {
            let text = read(path).expect("a campaign");
            let shown = without_secrets(&text, &Secrets::default());
            let value = |text: &str| serde_saphyr::from_str::<Value>(text).expect("YAML");
            assert_eq!(value(&shown), value(&text), "{path}");
        }
    }
}
