//! What all pages share: escaping, the frame and the style. A page is one file that needs nothing else, no script either.

use crate::judge::Verdict;

/// Text as HTML, in elements and in quoted attributes; control characters are shown as such.
pub(crate) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\n' | '\t' => html.push(' '),
            c if c.is_control() => html.push('\u{fffd}'),
            c => html.push(c),
        }
    }
    html
}

/// Escaped text with what stands between backquotes set as code.
pub(crate) fn in_code(html: &str) -> String {
    let parts: Vec<&str> = html.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return html.to_owned();
    }
    let part = |(index, part): (usize, &&str)| match index % 2 {
        0 => (*part).to_owned(),
        _ => format!("<code>{part}</code>"),
    };
    parts.iter().enumerate().map(part).collect()
}

/// A number as HTML, with a real minus.
pub(crate) fn number(text: &str) -> String {
    escaped(&text.replace('-', "\u{2212}"))
}

/// What stands beside a verdict's colour, for those who do not see it.
pub(crate) fn glyph(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Regressed => "✗",
        Verdict::Improved => "✓",
        Verdict::SeemsFaster => "~",
        Verdict::Unchanged => "=",
        Verdict::Inconclusive => "?",
        Verdict::Invalid => "!",
        Verdict::Incomparable => "≠",
        Verdict::New => "+",
    }
}

/// A verdict's name in the style sheet.
pub(crate) fn class(verdict: Verdict) -> String {
    verdict.name().replace(' ', "-")
}

/// A verdict with its glyph and colour.
pub(crate) fn badge(verdict: Verdict) -> String {
    format!(
        "<span class=\"badge {}\"><b aria-hidden=\"true\">{}</b> {}</span>",
        class(verdict),
        glyph(verdict),
        verdict.name()
    )
}

/// A whole page. `title` and `description` are plain text, `head` and `body` are HTML.
pub(crate) fn page(title: &str, description: &str, head: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"description\" content=\"{}\">\n{head}<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<p class=\"brand\">{MARK} plimsoll</p>\n{body}</main>\n</body>\n</html>\n",
        escaped(description),
        escaped(title)
    )
}

/// A Plimsoll mark: a circle with a line through it.
const MARK: &str = "<svg width=\"22\" height=\"14\" viewBox=\"0 0 22 14\" aria-hidden=\"true\">\
    <circle cx=\"11\" cy=\"7\" r=\"5.5\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.6\"/>\
    <path d=\"M0 7h22\" stroke=\"currentColor\" stroke-width=\"1.6\"/></svg>";

const STYLE: &str = include_str!("style.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        let text = "<script>alert('x')</script> & \"quoted\"\u{1b}[2J";
        assert_eq!(
            escaped(text),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quoted&quot;\u{fffd}[2J"
        );
        let page = page("</title><b>", "\"><b>", "", "");
        assert!(page.contains("<title>&lt;/title&gt;&lt;b&gt;</title>"));
        assert!(page.contains("content=\"&quot;&gt;&lt;b&gt;\""));
    }

    #[test]
    fn a_page_needs_nothing_else() {
        let page = page("t", "d", "", "");
        for outside in ["http:", "https:", "<script", "<link", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn each_verdict_has_a_glyph_and_a_style_of_its_own() {
        let all = [
            Verdict::Regressed,
            Verdict::Improved,
            Verdict::SeemsFaster,
            Verdict::Unchanged,
            Verdict::Inconclusive,
            Verdict::Invalid,
            Verdict::Incomparable,
            Verdict::New,
        ];
        let glyphs: std::collections::BTreeSet<_> = all.iter().map(|verdict| glyph(*verdict)).collect();
        assert_eq!(glyphs.len(), all.len());
        for verdict in all {
            let class = class(verdict);
            assert!(!class.contains(' ') && STYLE.contains(&format!(".{class}")), "{verdict:?}");
        }
    }

    #[test]
    fn numbers_have_a_real_minus() {
        assert_eq!(number("-20.0 %"), "\u{2212}20.0 %");
    }

    #[test]
    fn commands_are_set_as_code() {
        assert_eq!(in_code("a `b` c"), "a <code>b</code> c");
        assert_eq!(in_code("a ` c"), "a ` c");
    }
}
