//! A key as a text.

use anyhow::{Result, anyhow};
use tenancy_postgres::SigningKey;

const FORM: &str = "the tenancy key makes no sense: it is ID:HEX, a number and at least 64 hexadecimal digits, an even \
                    number of them: 1:$(openssl rand -hex 32)";

/// `ID:HEX`. The text is not repeated.
pub(super) fn parse(text: &str) -> Result<SigningKey> {
    let key = text.split_once(':').and_then(|(id, secret)| {
        let secret = bytes(secret)?;
        SigningKey::new(id.parse().ok()?, &secret).ok()
    });
    key.ok_or_else(|| anyhow!(FORM))
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    digits.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_an_id_and_64_digits_or_more() {
        let digits = "0123456789abcdefABCDEF".repeat(3);
        for key in [format!("1:{}", &digits[..64]), format!("-7:{digits}"), format!("2147483647:{digits}")] {
            let id: i32 = key.split_once(':').unwrap().0.parse().unwrap();
            assert_eq!(parse(&key).expect("a key").id(), id, "{key}");
        }
    }

    #[test]
    fn what_is_none_is_not_repeated() {
        let digits = "c0ffee".repeat(11);
        for text in [
            String::new(),
            digits.clone(),
            format!(":{digits}"),
            format!("x:{digits}"),
            format!("2147483648:{digits}"),
            format!("1:{}", &digits[..62]),
            format!("1:{}", &digits[..65]),
            format!("1: {}", &digits[..65]),
            format!("1:{}é", &digits[..64]),
            format!("1:{}+f", &digits[..64]),
        ] {
            let error = parse(&text).expect_err(&text).to_string();
            assert!(error.contains("ID:HEX") && !error.contains("c0ffee"), "{text}: {error}");
        }
    }
}
