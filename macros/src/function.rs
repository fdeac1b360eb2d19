//! An `async fn`, taken apart as far as the attributes need.

use proc_macro::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

use crate::write::{Part, write};
use crate::{Outcome, Wrong};

pub(crate) struct Function {
    attributes: TokenStream,
    visibility: TokenStream,
    pub(crate) name: Ident,
    pub(crate) parameters: Group,
    /// `-> Type`, or nothing.
    returned: TokenStream,
    /// From `async` to the end of the body, as it was.
    whole: TokenStream,
}

impl Function {
    /// Takes a plain `async fn` with a body; `of` is the attribute's name.
    pub(crate) fn parse(item: TokenStream, of: &str) -> Outcome<Function> {
        let wrong = |token: Option<&TokenTree>, text: &str| {
            let span = token.map_or_else(Span::call_site, TokenTree::span);
            Err(Wrong(
                span,
                format!("{text}: `#[petla::{of}]` is for an `async fn` with a body"),
            ))
        };
        let tokens: Vec<_> = item.into_iter().flat_map(open).collect();
        let (attributes, tokens) = tokens.split_at(attributes_length(&tokens));
        let second = attributes.iter().find(|token| is_test_attribute(token));
        if let Some(second) = second.filter(|_| of == "test") {
            return Err(Wrong(
                second.span(),
                String::from("this makes it a test a second time"),
            ));
        }
        let (visibility, whole) = tokens.split_at(visibility_length(tokens));
        let words = whole
            .iter()
            .take_while(|token| is_word(token, &QUALIFIERS))
            .count();
        let mut rest = whole[words..].iter();
        let (keyword, name) = (rest.next(), rest.next());
        if !keyword.is_some_and(|token| is_word(token, &["fn"])) {
            return wrong(whole.first(), "not a function");
        }
        let foreign = whole[..words]
            .iter()
            .find(|token| !is_word(token, &["async"]));
        if let Some(other) = foreign {
            return wrong(Some(other), &format!("`{other}` has no place here"));
        }
        if words == 0 {
            return wrong(keyword, "the `async` is missing");
        }
        let Some(TokenTree::Ident(name)) = name else {
            return wrong(keyword, "not a function");
        };
        let parameters = match rest.next() {
            Some(TokenTree::Group(group)) => group.clone(),
            other => return wrong(other, "generics have no place here"),
        };
        let body = whole
            .last()
            .filter(|token| is_group(token, Delimiter::Brace));
        if body.is_none() {
            return wrong(whole.last(), "the body is missing");
        }
        let signature = &rest.as_slice()[..rest.len() - 1];
        let returned = signature
            .iter()
            .take_while(|token| !is_word(token, &["where"]));
        Ok(Function {
            attributes: attributes.iter().cloned().collect(),
            visibility: visibility.iter().cloned().collect(),
            name: name.clone(),
            parameters,
            returned: returned.cloned().collect(),
            whole: whole.iter().cloned().collect(),
        })
    }

    pub(crate) fn refuse_parameters(&self, why: &str) -> Outcome<()> {
        match self.parameters.stream().into_iter().next() {
            None => Ok(()),
            Some(first) => Err(Wrong(first.span(), why.to_owned())),
        }
    }

    /// What the one parameter is given, at the end of its declaration; nothing if there is none.
    pub(crate) fn parameter_or_nothing(&self, value: &str) -> Outcome<TokenStream> {
        let tokens: Vec<_> = self.parameters.stream().into_iter().collect();
        let comma = tokens.iter().position(|token| token.to_string() == ",");
        let (first, more) = tokens.split_at(comma.unwrap_or(tokens.len()));
        if let Some(second) = more.get(1) {
            let text = "one parameter at most, the clock: `clock: VirtualClock`";
            return Err(Wrong(second.span(), text.to_owned()));
        }
        let span = first
            .last()
            .map(|token| token.span().resolved_at(Span::mixed_site()));
        Ok(span.map_or_else(TokenStream::new, |span| write(value, span, &[])))
    }

    /// The plain function shall return nothing; this one stays as it is.
    pub(crate) fn without_return_type(self) -> Function {
        let returned = TokenStream::new();
        Function { returned, ..self }
    }

    /// The plain function that holds this one and runs it by `call`, in which `PETLA` and `NAME`
    /// stand for the crate's path and this function's name.
    pub(crate) fn run_by(
        self,
        attribute: &str,
        call: &str,
        petla: &TokenStream,
        parts: &[Part<'_>],
    ) -> TokenStream {
        let span = self.name.span().resolved_at(Span::mixed_site());
        let name = TokenStream::from(TokenTree::Ident(self.name));
        let fixed = [Part("PETLA", petla), Part("NAME", &name)];
        let parts: Vec<_> = fixed.iter().chain(parts).copied().collect();
        let call = write(call, span, &parts);
        let text = format!("ATTRIBUTES {attribute} VISIBILITY fn NAME() RETURNED {{ WHOLE CALL }}");
        let holes = [
            Part("ATTRIBUTES", &self.attributes),
            Part("VISIBILITY", &self.visibility),
            Part("NAME", &name),
            Part("RETURNED", &self.returned),
            Part("WHOLE", &self.whole),
            Part("CALL", &call),
        ];
        write(&text, span, &holes)
    }
}

const QUALIFIERS: [&str; 6] = ["const", "async", "unsafe", "safe", "extern", "gen"];

/// Fragments of a `macro_rules!` come in a group without brackets.
fn open(token: TokenTree) -> Vec<TokenTree> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            group.stream().into_iter().flat_map(open).collect()
        }
        other => vec![other],
    }
}

fn attributes_length(tokens: &[TokenTree]) -> usize {
    let signs = tokens.iter().step_by(2);
    2 * signs.take_while(|token| token.to_string() == "#").count()
}

fn visibility_length(tokens: &[TokenTree]) -> usize {
    match tokens {
        [public, place, ..] if is_word(public, &["pub"]) => {
            1 + usize::from(is_group(place, Delimiter::Parenthesis))
        }
        _ => 0,
    }
}

/// `[test]`, `[petla::test(..)]`.
fn is_test_attribute(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else {
        return false;
    };
    let path = group
        .stream()
        .into_iter()
        .take_while(|token| !matches!(token, TokenTree::Group(_)));
    path.last().is_some_and(|last| is_word(&last, &["test"]))
}

fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}

fn is_word(token: &TokenTree, words: &[&str]) -> bool {
    words.contains(&token.to_string().as_str())
}

pub(crate) fn is_name(name: &Ident, expected: &str) -> bool {
    name.to_string().trim_start_matches("r#") == expected
}

/// Is this a function named `main`?
pub(crate) fn is_main(item: &TokenStream) -> bool {
    let tokens: Vec<_> = item.clone().into_iter().flat_map(open).collect();
    let pairs = tokens.windows(2);
    let names = pairs.filter(|pair| is_word(&pair[0], &["fn"]));
    names
        .take(1)
        .any(|pair| is_word(&pair[1], &["main", "r#main"]))
}
