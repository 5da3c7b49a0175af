//! The forms in which programs write a value: as it is, encoded, escaped, quoted.

use std::collections::BTreeSet;
use std::fmt::Write;

/// Shorter forms would be found everywhere.
const LENGTH_MIN: usize = 4;

/// A line of a longer value is looked for by itself from this length on.
const LINE_MIN: usize = 16;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What is looked for.
pub(super) struct Forms {
    /// Byte for byte.
    pub(super) whole: Vec<Vec<u8>>,
    /// Whatever line ends are in between.
    pub(super) broken: Vec<Vec<u8>>,
    /// Where percent-encoding is undone.
    pub(super) decoded: Vec<Vec<u8>>,
}

/// All forms of a value.
pub(super) fn of(value: &[u8]) -> Forms {
    let mut whole = BTreeSet::from([value.to_vec()]);
    let lines = value.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    whole.extend(lines.filter(|line| line.len() >= LINE_MIN).map(<[u8]>::to_vec));
    if let Ok(text) = std::str::from_utf8(value) {
        whole.extend(escaped(text).into_iter().map(String::into_bytes));
    }
    let mut broken = BTreeSet::from([hex(value), hex(value).to_ascii_uppercase(), base64(value)]);
    broken.extend((0..3).map(|before| aligned(value, before)));
    let in_urls = broken.iter().map(|form| {
        let swap = |&byte: &u8| match byte {
            b'+' => b'-',
            b'/' => b'_',
            byte => byte,
        };
        form.iter().map(swap).collect()
    });
    broken.extend(in_urls.collect::<Vec<Vec<u8>>>());
    let long_enough = |forms: BTreeSet<Vec<u8>>| {
        forms.into_iter().filter(|form| form.len() >= LENGTH_MIN).collect()
    };
    let decoded = vec![value.iter().map(|&byte| without_plus(byte)).collect()];
    Forms { whole: long_enough(whole), broken: long_enough(broken), decoded }
}

/// What of the base64 of any text that holds the value, with a multiple of three and `before`
/// bytes in front, depends on nothing but the value.
fn aligned(value: &[u8], before: usize) -> Vec<u8> {
    let padded = [&vec![0; before][..], value].concat();
    // A digit of base64 has 6 bits. The first and the last can share theirs with neighbours.
    let first = (before * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    base64(&padded).get(first..end).unwrap_or_default().to_vec()
}

pub(super) fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().chain(&[0, 0]).take(3).fold(0, |bits, &b| bits << 8 | u32::from(b));
        for i in 0..4 {
            let digit = BASE64[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= group.len() { digit } else { b'=' });
        }
    }
    out
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    let digits = |byte: &u8| format!("{byte:02x}").into_bytes();
    bytes.iter().flat_map(digits).collect()
}

/// Forms of the web write a blank as a plus; neither tells them apart here.
pub(super) fn without_plus(byte: u8) -> u8 {
    if byte == b'+' { b' ' } else { byte }
}

/// As JSON, XML and shells write it.
fn escaped(text: &str) -> Vec<String> {
    let mut forms = vec![
        text.replace('\'', r"'\''"),
        text.replace('\'', "'\"'\"'"),
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        text.replace('\n', "\\n"),
        backslashed(text),
    ];
    for apostrophe in ["&#39;", "&#x27;", "&apos;", "'"] {
        for quote in ["&quot;", "&#34;"] {
            let form = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            forms.push(form.replace('"', quote).replace('\'', apostrophe));
        }
    }
    for slash in ["/", r"\/"] {
        for is_ascii in [false, true] {
            for for_html in [false, true] {
                forms.push(json(text, slash, is_ascii, for_html));
            }
        }
    }
    for quote in ["", "'", "\""] {
        forms.extend([c_string(text, quote, false), c_string(text, quote, true)]);
    }
    let upper: Vec<String> = forms.iter().map(|form| with_upper_digits(form)).collect();
    forms.extend(upper);
    forms
}

/// The inside of a JSON string. Writers differ in which characters they escape beyond those that
/// must be.
fn json(text: &str, slash: &str, is_ascii: bool, for_html: bool) -> String {
    let mut form = String::new();
    for c in text.chars() {
        match c {
            '"' => form.push_str("\\\""),
            '\\' => form.push_str(r"\\"),
            '\n' => form.push_str(r"\n"),
            '\r' => form.push_str(r"\r"),
            '\t' => form.push_str(r"\t"),
            '\u{8}' => form.push_str(r"\b"),
            '\u{c}' => form.push_str(r"\f"),
            '/' => form.push_str(slash),
            c if c < ' '
                || is_ascii && (!c.is_ascii() || c == '\u{7f}')
                || for_html && matches!(c, '<' | '>' | '&') =>
            {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(form, "\\u{unit:04x}").expect("a string takes any text");
                }
            }
            c => form.push(c),
        }
    }
    form
}

/// As C, Python and shells (`$'…'`) write a string between such quotes, or its bytes.
fn c_string(text: &str, quote: &str, is_bytes: bool) -> String {
    let mut form = String::new();
    for c in text.chars() {
        match c {
            '\\' => form.push_str(r"\\"),
            '\n' => form.push_str(r"\n"),
            '\r' => form.push_str(r"\r"),
            '\t' => form.push_str(r"\t"),
            c if quote.contains(c) => form.extend(['\\', c]),
            c if c.is_ascii_control() || is_bytes && !c.is_ascii() => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    write!(form, "\\x{byte:02x}").expect("a string takes any text");
                }
            }
            c => form.push(c),
        }
    }
    form
}

/// `\u00e9` as `\u00E9`.
fn with_upper_digits(form: &str) -> String {
    let mut parts = form.split(r"\u");
    let mut upper = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(4).unwrap_or((part, ""));
        upper.push_str(r"\u");
        upper.push_str(&digits.to_ascii_uppercase());
        upper.push_str(rest);
    }
    upper
}

/// As `printf %q` writes it.
fn backslashed(text: &str) -> String {
    let mut form = String::new();
    for c in text.chars() {
        if !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.' | '/' | ':' | '%' | '+' | '=' | '@')
        {
            form.push('\\');
        }
        form.push(c);
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forms as other programs write them.
    #[test]
    fn forms_are_those_that_programs_write() {
        let value = "p&s \"w\"/\u{e9}\u{1f511}'<\\+~*\n!";
        let forms = of(value.as_bytes());
        let all: Vec<Vec<u8>> = forms.whole.into_iter().chain(forms.broken).collect();
        for form in [
            // Python: json.dumps, html.escape, shlex.quote.
            r#"p&s \"w\"/\u00e9\ud83d\udd11'<\\+~*\n!"#,
            "p&amp;s &quot;w&quot;/\u{e9}\u{1f511}&#x27;&lt;\\+~*\n!",
            "p&s \"w\"/\u{e9}\u{1f511}'\"'\"'<\\+~*\n!",
            // JavaScript: JSON.stringify.
            "p&s \\\"w\\\"/\u{e9}\u{1f511}'<\\\\+~*\\n!",
            // PHP and Go: json_encode, json.Marshal.
            r#"p&s \"w\"\/\u00e9\ud83d\udd11'<\\+~*\n!"#,
            "p\\u0026s \\\"w\\\"/\u{e9}\u{1f511}'\\u003c\\\\+~*\\n!",
            // Shells: set -x of dash and bash; xxd -p; base64; base64url.
            "p&s \"w\"/\u{e9}\u{1f511}'\\''<\\+~*\n!",
            "70267320227722",
            "cCZzICJ3Ii_DqfCflJEnPFwrfioKIQ==",
        ] {
            let is_there = all.iter().any(|known| known.starts_with(form.as_bytes()));
            assert!(is_there, "{form}");
        }
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(bytes.as_bytes()), text.as_bytes());
        }
    }
}
