//! What stands in the attribute's parentheses: `clock = "virtual", seed = 17`.

use proc_macro::{Ident, Span, TokenStream, TokenTree};

use crate::{Outcome, Wrong};

/// A name, and after a `=` the tokens of its value.
struct Argument(Ident, Option<TokenStream>);

pub(crate) struct Arguments(Vec<Argument>);

impl Arguments {
    /// Takes each of the `known` ones once.
    pub(crate) fn parse(tokens: TokenStream, of: &str, known: &[&str]) -> Outcome<Arguments> {
        let list = known
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ");
        let mut found: Vec<Argument> = Vec::new();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(first) = tokens.next() {
            let name = match first {
                TokenTree::Ident(name) if known.contains(&name.to_string().as_str()) => name,
                other => {
                    let text = format!("`{other}` is no argument: `#[petla::{of}]` takes {list}");
                    return Err(Wrong(other.span(), text));
                }
            };
            if found
                .iter()
                .any(|other| other.0.to_string() == name.to_string())
            {
                return Err(Wrong(name.span(), format!("`{name}` is given twice")));
            }
            let rest: Vec<_> = tokens
                .by_ref()
                .take_while(|token| !is_sign(token, ','))
                .collect();
            let value = match rest.split_first() {
                None => None,
                Some((sign, value)) if is_sign(sign, '=') => Some(value.iter().cloned().collect()),
                Some((other, _)) => {
                    let text = format!("expected `=` or `,` after `{name}`, found `{other}`");
                    return Err(Wrong(other.span(), text));
                }
            };
            found.push(Argument(name, value));
        }
        Ok(Arguments(found))
    }

    fn get(&self, name: &str) -> Option<&Argument> {
        self.0
            .iter()
            .find(|argument| argument.0.to_string() == name)
    }

    /// Is the name there? It has no value.
    pub(crate) fn flag(&self, name: &str) -> Outcome<bool> {
        match self.get(name) {
            Some(Argument(found, Some(_))) => Err(Wrong(
                found.span(),
                format!("`{name}` takes no value: write `{name}` alone"),
            )),
            other => Ok(other.is_some()),
        }
    }

    /// The tokens of a value, and where its name is.
    pub(crate) fn value(&self, name: &str, example: &str) -> Outcome<Option<(Span, TokenStream)>> {
        match self.get(name) {
            None => Ok(None),
            Some(Argument(found, Some(value))) if !value.is_empty() => {
                Ok(Some((found.span(), value.clone())))
            }
            Some(Argument(found, _)) => {
                let text = format!("`{name}` needs a value: `{name} = {example}`");
                Err(Wrong(found.span(), text))
            }
        }
    }

    /// A value that is an expression of type `u64`; a literal of another type is refused here.
    pub(crate) fn number(&self, name: &str) -> Outcome<Option<(Span, TokenStream)>> {
        let value = self.value(name, "17")?;
        for token in value.iter().flat_map(|(_, value)| value.clone()).take(1) {
            let text = token.to_string();
            let is_whole = text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains('.');
            if matches!(token, TokenTree::Literal(_)) && !is_whole {
                let text = format!("`{name}` is a whole number, from 0 to 2^64 - 1");
                return Err(Wrong(token.span(), text));
            }
        }
        Ok(value)
    }

    /// A value that is one of these words, in quotes.
    pub(crate) fn word(&self, name: &str, words: &[&str]) -> Outcome<Option<String>> {
        let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let Some((_, value)) = self.value(name, &quoted[0])? else {
            return Ok(None);
        };
        let text = value.to_string();
        match words
            .iter()
            .zip(&quoted)
            .find(|(_, quoted)| **quoted == text)
        {
            Some((word, _)) => Ok(Some((*word).to_owned())),
            None => Err(Wrong(
                start(value),
                format!("`{name}` is {}", quoted.join(" or ")),
            )),
        }
    }

    /// Where `petla` is.
    pub(crate) fn path(&self) -> Outcome<TokenStream> {
        let value = self.value("crate", "\"name\"")?;
        let (text, span) = match value {
            None => (String::from("\"::petla\""), Span::mixed_site()),
            Some((_, value)) => (value.to_string(), start(value)),
        };
        let path = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        let path: Option<TokenStream> = path.and_then(|path| path.parse().ok());
        let at = |mut token: TokenTree| {
            token.set_span(span);
            token
        };
        match path.filter(|path| !path.is_empty()) {
            Some(path) => Ok(path.into_iter().map(at).collect()),
            None => Err(Wrong(span, String::from("`crate` is a path in quotes"))),
        }
    }
}

fn start(tokens: TokenStream) -> Span {
    tokens
        .into_iter()
        .next()
        .map_or_else(Span::call_site, |token| token.span())
}

fn is_sign(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}
