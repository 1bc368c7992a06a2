//! A Rust file as a list of words and signs, without comments, texts and the code that only tests have.

use std::iter::Peekable;
use std::str::Chars;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Word(String),
    Sign(char),
    /// `::`
    Path,
}

impl Token {
    pub(crate) fn word(&self) -> Option<&str> {
        if let Self::Word(word) = self { Some(word) } else { None }
    }

    pub(crate) fn is(&self, word: &str) -> bool {
        self.word() == Some(word)
    }
}

/// The tokens of a file, without what `#[cfg(test)]` leaves out of the gateway.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    without_tests(&all_tokens(text))
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn all_tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '/' if rest.peek() == Some(&'/') => while rest.next().is_some_and(|next| next != '\n') {},
            '/' if rest.peek() == Some(&'*') => skip_block_comment(&mut rest),
            '"' => skip_text(&mut rest),
            '\'' => skip_character_or_lifetime(&mut rest),
            ':' if rest.peek() == Some(&':') => {
                rest.next();
                tokens.push(Token::Path);
            }
            _ if is_word(letter) => {
                let mut word = letter.to_string();
                while let Some(next) = rest.next_if(|next| is_word(*next)) {
                    word.push(next);
                }
                let raw = matches!(word.as_str(), "r" | "br" | "cr");
                if raw && matches!(rest.peek(), Some('"' | '#')) {
                    skip_raw_text(&mut rest);
                } else {
                    tokens.push(Token::Word(word));
                }
            }
            _ if letter.is_whitespace() => {}
            _ => tokens.push(Token::Sign(letter)),
        }
    }
    tokens
}

fn skip_block_comment(rest: &mut Peekable<Chars<'_>>) {
    let mut before = ' ';
    for letter in rest {
        if before == '*' && letter == '/' {
            return;
        }
        before = letter;
    }
}

fn skip_text(rest: &mut Peekable<Chars<'_>>) {
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => _ = rest.next(),
            '"' => return,
            _ => {}
        }
    }
}

/// Skips the text of `r"…"` or `r#"…"#`. Of `r#type`, the name of an item, only the sign is skipped.
fn skip_raw_text(rest: &mut Peekable<Chars<'_>>) {
    let mut hashes = 0;
    while rest.next_if_eq(&'#').is_some() {
        hashes += 1;
    }
    if rest.next_if_eq(&'"').is_none() {
        return;
    }
    while let Some(letter) = rest.next() {
        if letter == '"' && (0..hashes).all(|_| rest.next_if_eq(&'#').is_some()) {
            return;
        }
    }
}

fn skip_character_or_lifetime(rest: &mut Peekable<Chars<'_>>) {
    let Some(first) = rest.next() else { return };
    if first == '\\' {
        rest.next();
        while rest.next().is_some_and(|next| next != '\'') {}
    } else if rest.next_if_eq(&'\'').is_none() && is_word(first) {
        while rest.next_if(|next| is_word(*next)).is_some() {}
    }
}

fn without_tests(all: &[Token]) -> Vec<Token> {
    let attribute = all_tokens("#[cfg(test)]");
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < all.len() {
        if all[at..].starts_with(&attribute) {
            at = end_of_item(all, at + attribute.len());
        } else {
            kept.push(all[at].clone());
            at += 1;
        }
    }
    kept
}

/// Where the item ends that begins at `at`: behind its `;`, behind its body, or before the end of what holds it.
fn end_of_item(all: &[Token], mut at: usize) -> usize {
    const ITEMS: [&str; 14] = [
        "pub",
        "use",
        "mod",
        "fn",
        "async",
        "unsafe",
        "struct",
        "enum",
        "trait",
        "impl",
        "const",
        "static",
        "type",
        "macro_rules",
    ];
    while all[at..].starts_with(&[Token::Sign('#'), Token::Sign('[')]) {
        at = end_of_group(all, at + 1);
    }
    let is_item = all[at].word().is_some_and(|word| ITEMS.contains(&word));
    let is_import = all[at..].iter().take(6).any(|token| token.is("use"));
    while at < all.len() {
        match &all[at] {
            Token::Sign(';') => return at + 1,
            Token::Sign(',') if !is_item => return at + 1,
            Token::Sign('{') if !is_import => return end_of_group(all, at),
            Token::Sign('{' | '(' | '[') => at = end_of_group(all, at),
            Token::Sign('}' | ')' | ']') => return at,
            _ => at += 1,
        }
    }
    at
}

/// Where the group ends that the bracket at `at` opens.
pub(crate) fn end_of_group(all: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (index, token) in all.iter().enumerate().skip(at) {
        match token {
            Token::Sign('{' | '(' | '[') => depth += 1,
            Token::Sign('}' | ')' | ']') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    all.len()
}
