//! Shows the position of an error in a text.

/// The most characters of a line that are shown before the error.
const BEFORE: usize = 60;

/// The most characters that are shown from its start on.
const AFTER: usize = 60;

/// Returns the line that contains byte `start`, and a second line with carets under the bytes up
/// to `end`.
///
/// Escapes control characters and shortens a long line around the error.
pub(crate) fn caret(text: &str, start: usize, end: usize) -> String {
    let start = boundary(text, start);
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
    let line_end = line_start + text[line_start..line_end].trim_end_matches('\r').len();
    let start = start.min(line_end);
    let end = boundary(text, end).clamp(start, line_end);

    let from = shown_from(&text[line_start..start]);
    let to = shown_to(&text[start..line_end]);
    let before = printable(&text[line_start + from..start]);
    let dots = if from > 0 { "..." } else { "" };
    let marked = printable(&text[start..end.min(start + to)]);
    let after = printable(&text[end.min(start + to)..start + to]);
    let more = if start + to < line_end { "..." } else { "" };
    let blanks = " ".repeat(dots.len() + before.chars().count());
    let carets = "^".repeat(marked.chars().count().max(1));
    format!("{dots}{before}{marked}{after}{more}\n{blanks}{carets}")
}

/// The nearest character boundary at or before this byte.
fn boundary(text: &str, place: usize) -> usize {
    let place = place.min(text.len());
    (0..=place).rev().find(|&place| text.is_char_boundary(place)).unwrap_or(0)
}

fn shown_from(before: &str) -> usize {
    before.char_indices().rev().nth(BEFORE - 1).map_or(0, |(at, _)| at)
}

fn shown_to(after: &str) -> usize {
    after.char_indices().nth(AFTER).map_or(after.len(), |(at, _)| at)
}

/// The text with its control characters escaped.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            control if control.is_control() => {
                let code = u32::from(control);
                out.extend(["\\x", &format!("{code:02x}")]);
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_carets_are_below_the_error() {
        assert_eq!(caret("%h %y %t", 3, 5), "%h %y %t\n   ^^");
        assert_eq!(caret("", 0, 0), "\n^");
        assert_eq!(caret("%h %", 4, 4), "%h %\n    ^");
    }

    #[test]
    fn only_the_line_with_the_error_is_shown() {
        assert_eq!(caret("first\nsecond $\r\nthird", 13, 14), "second $\n       ^");
        assert_eq!(caret("a 'b\nc", 2, 6), "a 'b\n  ^^");
    }

    #[test]
    fn control_characters_are_escaped_and_the_carets_follow() {
        assert_eq!(caret("a\tb\x1bc", 2, 3), "a\\tb\\x1bc\n   ^");
        assert_eq!(caret("a\x07b", 1, 2), "a\\x07b\n ^^^^");
    }

    #[test]
    fn a_byte_inside_a_character_marks_the_character() {
        assert_eq!(caret("é%y", 1, 4), "é%y\n^^^");
    }

    #[test]
    fn a_long_line_is_shortened_around_the_error() {
        let text = format!("{}%y{}", "a".repeat(1_000), "b".repeat(1_000));
        let shown = caret(&text, 1_000, 1_002);
        let (line, below) = shown.split_once('\n').unwrap();
        assert_eq!(line, format!("...{}%y{}...", "a".repeat(60), "b".repeat(58)));
        assert_eq!(below, format!("{}^^", " ".repeat(63)));
    }

    proptest! {
        #![proptest_config(crate::ground::profile::cases(256))]

        #[test]
        fn any_position_in_any_text_gives_two_lines_of_bounded_length(
            text in "(?s).{0,200}", start in 0_usize..900, length in 0_usize..900,
        ) {
            let shown = caret(&text, start, start + length);
            prop_assert_eq!(shown.lines().count(), 2);
            prop_assert!(shown.chars().all(|shown| shown == '\n' || !shown.is_control()));
            prop_assert!(shown.ends_with('^') && shown.len() < 4_000);
        }
    }
}
