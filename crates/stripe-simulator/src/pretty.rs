//! Lays JSON text out as Stripe does: two spaces per level.

/// The same JSON with line breaks and indentation; strings and numbers keep every character.
pub(crate) fn pretty(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() * 3 / 2);
    let mut depth = 0;
    let mut bytes = json.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                out.push(byte);
                let mut escaped = false;
                for byte in bytes.by_ref() {
                    out.push(byte);
                    if byte == b'"' && !escaped {
                        break;
                    }
                    escaped = byte == b'\\' && !escaped;
                }
            }
            b'{' | b'[' => {
                out.push(byte);
                match bytes.peek() {
                    Some(b'}' | b']') => out.extend(bytes.next()),
                    _ => {
                        depth += 1;
                        new_line(depth, &mut out);
                    }
                }
            }
            b'}' | b']' => {
                depth -= 1;
                new_line(depth, &mut out);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                new_line(depth, &mut out);
            }
            b':' => out.extend_from_slice(b": "),
            b' ' | b'\n' | b'\r' | b'\t' => {}
            byte => out.push(byte),
        }
    }
    out
}

fn new_line(depth: usize, out: &mut Vec<u8>) {
    out.push(b'\n');
    out.resize(out.len() + depth * 2, b' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_like_serde_pretty_and_keeps_digits() {
        let value = serde_json::json!({"a": [1, {"b": "x\\\"{,:"}, []], "c": {}, "d": null, "e": "\\"});
        let text = pretty(value.to_string().as_bytes());
        assert_eq!(String::from_utf8(text).unwrap(), serde_json::to_string_pretty(&value).unwrap());
        let digits = String::from_utf8(pretty(br#"{"n":18446744073709551616.50}"#)).unwrap();
        assert_eq!(digits, "{\n  \"n\": 18446744073709551616.50\n}");
    }
}
