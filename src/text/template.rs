//! Texts with `{{name}}` in them.

use handlebars::Template;
use handlebars::template::TemplateElement;

/// A piece of a text with references in it.
pub enum Piece {
    /// Text that stays as it is.
    Plain(String),
    /// Name between double braces.
    Reference(String),
}

/// Splits a text into pieces.
///
/// # Errors
/// Fails with the reason for which the text is no template.
pub fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let template = Template::compile(text).map_err(|error| error.reason().to_string())?;
    let piece = |element| match element {
        TemplateElement::RawString(text) => Ok(Piece::Plain(text)),
        TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => {
            match call.name.as_name() {
                Some(name) if is_name(name) && call.params.is_empty() && call.hash.is_empty() => {
                    Ok(Piece::Reference(name.to_owned()))
                }
                _ => Err("only the name of a param may stand between the braces".to_owned()),
            }
        }
        _ => Err("only `{{name}}` is understood".to_owned()),
    };
    template.elements.into_iter().map(piece).collect()
}

/// Returns true if a text refers to a name.
pub fn names(text: &str, name: &str) -> bool {
    let pieces = pieces(text).unwrap_or_default();
    let refers = |piece: &Piece| matches!(piece, Piece::Reference(found) if found == name);
    pieces.iter().any(refers)
}

/// Returns true if a word can be the name of a param.
pub fn is_name(name: &str) -> bool {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
}
