//! Tokens out of text with holes: what `quote!` is for, in the size that two attributes need.

use proc_macro::{Group, Literal, Span, TokenStream, TokenTree};

use crate::Wrong;

/// A name in the text, and what stands there instead.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a>(pub(crate) &'a str, pub(crate) &'a TokenStream);

/// The tokens of `text`, all at `span`, with the parts in their places.
pub(crate) fn write(text: &str, span: Span, parts: &[Part<'_>]) -> TokenStream {
    let tokens = text.parse().expect("the text of a macro is Rust");
    fill(tokens, span, parts)
}

fn fill(tokens: TokenStream, span: Span, parts: &[Part<'_>]) -> TokenStream {
    let one = |token: TokenTree| match token {
        TokenTree::Group(group) => {
            let mut filled = Group::new(group.delimiter(), fill(group.stream(), span, parts));
            filled.set_span(span);
            TokenStream::from(TokenTree::Group(filled))
        }
        mut other => {
            let name = other.to_string();
            match parts.iter().find(|part| part.0 == name) {
                Some(part) => part.1.clone(),
                None => {
                    other.set_span(span);
                    other.into()
                }
            }
        }
    };
    tokens.into_iter().map(one).collect()
}

impl Wrong {
    /// The text as the compiler's own error, at the span.
    pub(crate) fn compile_error(self) -> TokenStream {
        let Wrong(span, text) = self;
        let text = TokenTree::Literal(Literal::string(&text)).into();
        write(
            "::core::compile_error! { TEXT }",
            span,
            &[Part("TEXT", &text)],
        )
    }
}
