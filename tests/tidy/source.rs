//! One file of the project as `tidy` sees it: its lines, its tokens, the paths in them.
//!
//! The checks ask about code, so comments, strings and characters are not tokens: a module that
//! *mentions* `crate::kernel` in its documentation does not import it. The scanner knows just as
//! much of Rust's grammar as that takes; where it cannot tell (names that a macro makes) it says
//! nothing.
//!
//! # Invariants
//! - **Whole**: no token starts or ends inside a comment, string or character literal.
//! - **Rooted**: [`Source::root_paths`] counts `super` from the innermost `mod { .. }`.
//!
//! # Not here
//! What is allowed: `tests/tidy.rs`.

use std::path::Path;

/// A word, a number, one of `::`, `->`, `=>`, or a single sign.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

#[derive(Debug)]
pub(crate) struct Source {
    /// From the project's folder: `src/time/sleep.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A path that starts at the crate's root, in the tokens of one file.
#[derive(Debug, PartialEq)]
pub(crate) struct RootPath<'a> {
    pub(crate) head: &'a str,
    pub(crate) line: usize,
    /// `crate::name!`: exported macros stand at the root, wherever they are written.
    pub(crate) is_macro: bool,
    /// `$crate::name`: written for the place where the macro is expanded.
    pub(crate) in_macro: bool,
}

/// A `pub fn` or `pub async fn`; `pub(crate)` ones are not public.
#[derive(Debug, PartialEq)]
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    pub(crate) line: usize,
    pub(crate) is_async: bool,
    /// The tokens between `->` and the body.
    pub(crate) returned: Vec<&'a str>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// `["time", "sleep"]` for `src/time/sleep.rs`, `["time"]` for `src/time/mod.rs`, nothing for
    /// the root; `None` outside `src`.
    pub(crate) fn module(&self) -> Option<Vec<&str>> {
        let inside = self.path.strip_prefix("src/")?.strip_suffix(".rs")?;
        let mut names: Vec<&str> = inside.split('/').collect();
        if matches!(names.last(), Some(&"mod" | &"lib")) {
            names.pop();
        }
        Some(names)
    }

    /// The module right under the root that the file belongs to; `lib` for the root itself.
    pub(crate) fn top_module(&self) -> Option<&str> {
        self.module()
            .map(|names| names.first().copied().unwrap_or("lib"))
    }

    /// `sleep.rs`.
    pub(crate) fn name(&self) -> &str {
        Path::new(&self.path)
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
    }

    /// `problem` with the place before it.
    pub(crate) fn at(&self, line: usize, problem: &str) -> String {
        format!("{}:{line}: {problem}", self.path)
    }

    pub(crate) fn tokens(&self) -> Vec<Token<'_>> {
        let (mut rest, mut line, mut tokens) = (self.text.as_str(), 1, Vec::new());
        while !rest.is_empty() {
            let skipped = blank_length(rest);
            let length = if skipped > 0 {
                skipped
            } else {
                token_length(rest)
            };
            let (text, after) = rest.split_at(length);
            if skipped == 0 {
                tokens.push(Token { text, line });
            }
            line += text.matches('\n').count();
            rest = after;
        }
        tokens
    }

    /// The tokens that are not inside a `mod tests { .. }`.
    pub(crate) fn tokens_outside_tests(&self) -> Vec<Token<'_>> {
        let mut rest = &self.tokens()[..];
        let mut outside = Vec::new();
        while let [first, after @ ..] = rest {
            let words: Vec<&str> = rest.iter().take(3).map(|token| token.text).collect();
            rest = after;
            if words == ["mod", "tests", "{"] {
                let body: Vec<&str> = after[1..].iter().map(|token| token.text).collect();
                rest = &after[1 + group_length(&body, "{", "}")..];
            } else {
                outside.push(*first);
            }
        }
        outside
    }

    /// Every path that begins with `crate::`, or with enough `super::` to reach the root.
    pub(crate) fn root_paths(&self) -> Vec<RootPath<'_>> {
        let tokens = self.tokens();
        let text = |i: usize| tokens.get(i).map_or("", |token| token.text);
        let file_depth = self.module().map_or(0, |names| names.len());
        let mut paths = Vec::new();
        let mut braces = Vec::new(); // for each open one: does it open a module?
        for i in 0..tokens.len() {
            let supers =
                (0..).take_while(|n| text(i + 2 * n) == "super" && text(i + 2 * n + 1) == "::");
            let supers = if i > 0 && text(i - 1) == "::" {
                0
            } else {
                supers.count()
            };
            let depth = file_depth + braces.iter().filter(|module| **module).count();
            match text(i) {
                "{" => braces.push(i >= 2 && text(i - 2) == "mod"),
                "}" => drop(braces.pop()),
                "crate" if text(i + 1) == "::" => {
                    let in_macro = i > 0 && text(i - 1) == "$";
                    paths.extend(heads(&tokens[i + 2..], in_macro));
                }
                "super" if supers > 0 && supers == depth => {
                    paths.extend(heads(&tokens[i + 2 * supers..], false));
                }
                _ => {}
            }
        }
        paths
    }

    pub(crate) fn public_functions(&self) -> Vec<Function<'_>> {
        let tokens = self.tokens();
        let words: Vec<&str> = tokens.iter().map(|token| token.text).collect();
        let mut functions = Vec::new();
        for (start, _) in words.iter().enumerate().filter(|(_, word)| **word == "pub") {
            let after = &words[start + 1..];
            let qualifiers = after
                .iter()
                .take_while(|word| matches!(**word, "async" | "const" | "unsafe" | "extern"));
            let is_async = qualifiers.clone().any(|word| *word == "async");
            if let ["fn", name, signature @ ..] = &after[qualifiers.count()..] {
                let (line, returned) = (tokens[start].line, returned(signature));
                functions.push(Function {
                    name,
                    line,
                    is_async,
                    returned,
                });
            }
        }
        functions
    }

    /// The `///` lines above `line` (counted from 1), with attributes in between.
    pub(crate) fn docs_above(&self, line: usize) -> Vec<&str> {
        let above: Vec<&str> = self.text.lines().take(line - 1).map(str::trim).collect();
        let attached = above.iter().rev().take_while(|line| {
            line.starts_with("//") || !(line.is_empty() || line.ends_with(['{', '}', ';']))
        });
        attached
            .copied()
            .filter(|line| line.starts_with("///"))
            .collect()
    }
}

/// The first names after `crate::`: one, or those of a group.
fn heads<'a>(tokens: &[Token<'a>], in_macro: bool) -> Vec<RootPath<'a>> {
    let path = |i: usize| {
        let Token { text, line } = *tokens.get(i)?;
        let is_macro = tokens.get(i + 1).is_some_and(|next| next.text == "!");
        Some(RootPath {
            head: text,
            line,
            is_macro,
            in_macro,
        })
    };
    if tokens.first().is_none_or(|first| first.text != "{") {
        return path(0).into_iter().collect();
    }
    let (mut depth, mut found) = (0, Vec::new());
    for (i, token) in tokens.iter().enumerate() {
        let starts = matches!(token.text, "{" | ",");
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        let next = tokens.get(i + 1).map_or("}", |next| next.text);
        if starts && depth == 1 && next != "}" {
            found.extend(path(i + 1));
        }
    }
    found
}

/// What stands between `->` and the body, of a signature without its name.
fn returned<'a>(signature: &[&'a str]) -> Vec<&'a str> {
    let parameters = &signature[group_length(signature, "<", ">")..];
    match &parameters[group_length(parameters, "(", ")")..] {
        ["->", rest @ ..] => {
            let words = rest
                .iter()
                .take_while(|word| !matches!(**word, "{" | ";" | "where"));
            words.copied().collect()
        }
        _ => Vec::new(),
    }
}

/// How many words the bracketed group at the start has, brackets included.
fn group_length(words: &[&str], open: &str, close: &str) -> usize {
    let mut depth = 0;
    for (i, word) in words.iter().enumerate() {
        depth += i32::from(*word == open) - i32::from(*word == close);
        if depth == 0 {
            return if i == 0 { 0 } else { i + 1 };
        }
    }
    words.len()
}

/// How many bytes at the start of `rest` are white space, a comment, a string or a character.
fn blank_length(rest: &str) -> usize {
    let spaces = rest.len() - rest.trim_start().len();
    if spaces > 0 {
        spaces
    } else if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment_length(rest)
    } else {
        literal_length(rest)
    }
}

/// They nest.
fn block_comment_length(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest.as_bytes()[at..] {
            [b'/', b'*', ..] => depth += 1,
            [b'*', b'/', ..] => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// A string or character, with its prefix; a lifetime counts as one. 0: there is none.
fn literal_length(rest: &str) -> usize {
    let quoted = rest.trim_start_matches(['b', 'c', 'r']);
    let prefix = &rest[..rest.len() - quoted.len()];
    let raw = prefix.ends_with('r');
    let hashes = if raw {
        quoted.len() - quoted.trim_start_matches('#').len()
    } else {
        0
    };
    let body = match quoted.as_bytes().get(hashes) {
        Some(b'"') if raw => {
            let end = format!("\"{}", "#".repeat(hashes));
            let content = &quoted[hashes + 1..];
            hashes
                + 1
                + content
                    .find(&end)
                    .map_or(content.len(), |at| at + end.len())
        }
        Some(b'"') => escaped_length(quoted),
        Some(b'\'') if !raw => character_length(quoted),
        _ => return 0,
    };
    prefix.len() + body
}

/// From a quote to the next one that no backslash stands before.
fn escaped_length(quoted: &str) -> usize {
    let bytes = quoted.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != bytes[0] {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    bytes.len().min(at + 1)
}

/// `'x'`, or a lifetime.
fn character_length(quoted: &str) -> usize {
    let mut inside = quoted.chars().skip(1);
    match (inside.next(), inside.next()) {
        (Some('\\'), _) => escaped_length(quoted),
        (Some(one), Some('\'')) => one.len_utf8() + 2,
        _ => 1 + word_length(&quoted[1..]),
    }
}

fn token_length(rest: &str) -> usize {
    let pair = ["::", "->", "=>"]
        .into_iter()
        .find(|pair| rest.starts_with(pair));
    let one = rest.chars().next().map_or(0, char::len_utf8);
    pair.map_or(one.max(word_length(rest)), str::len)
}

fn word_length(rest: &str) -> usize {
    rest.find(|c: char| !(c == '_' || c.is_alphanumeric()))
        .unwrap_or(rest.len())
}

#[test]
fn comments_strings_and_characters_are_no_tokens() {
    let text = r##"a /* b /* c */ "d */ "e\"f" g::h // i
        'j' 'k l'm' '\'' r#"n"o"# br"p" b'q' cr r#type -> 'static"##;
    let source = Source::new("src/x.rs", text);
    let tokens: Vec<String> = source
        .tokens()
        .iter()
        .map(|token| format!("{}{}", token.text, token.line))
        .collect();
    assert_eq!(
        tokens,
        [
            "a1", "g1", "::1", "h1", "l2", "cr2", "r2", "#2", "type2", "->2"
        ]
    );
}

#[test]
fn paths_to_the_root_are_found_through_groups_and_supers() {
    let text = "use crate::{a::{b, c}, d}; use super::e; use super::super::f; x::super::y!();
        mod inner { use super::g; use super::super::super::h; fn k() { $crate::l!() } }";
    let source = Source::new("src/net/tcp.rs", text);
    let heads: Vec<_> = source
        .root_paths()
        .iter()
        .map(|path| (path.head, path.line))
        .collect();
    assert_eq!(heads, [("a", 1), ("d", 1), ("f", 1), ("h", 2), ("l", 2)]);
    let macros = source
        .root_paths()
        .last()
        .map(|path| (path.is_macro, path.in_macro));
    assert_eq!(macros, Some((true, true)));
}

#[test]
fn signatures_are_read_past_generics_and_parameters() {
    let text = "pub fn a<F: Fn() -> B>(f: F, g: (C, D)) -> io::Result<E> where F: G { }
        pub(crate) fn h() -> I; pub const unsafe fn j(); pub async fn k() -> L;";
    let source = Source::new("src/x.rs", text);
    let found: Vec<_> = source.public_functions();
    let names: Vec<_> = found.iter().map(|f| (f.name, f.line, f.is_async)).collect();
    assert_eq!(names, [("a", 1, false), ("j", 2, false), ("k", 2, true)]);
    assert_eq!(found[0].returned, ["io", "::", "Result", "<", "E", ">"]);
    assert!(found[1].returned.is_empty());
}

#[test]
fn code_after_a_test_module_is_outside_it() {
    let text = "a mod tests { b { c } } d mod tests; e";
    let source = Source::new("src/x.rs", text);
    let words: Vec<_> = source
        .tokens_outside_tests()
        .iter()
        .map(|token| token.text)
        .collect();
    assert_eq!(words, ["a", "d", "mod", "tests", ";", "e"]);
}
