//! Payloads are kept whole.

use anyhow::Context;

use super::place::{Place, stream, upsert};
use super::{DestinationFixture, Exactness};

/// Values that any destination must keep.
const VALUES: &[&str] = &[
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "123456789012345678901234567890123456789012345678901234567890",
    "0.10",
    "1.000",
    "100.00",
    "0.000000000000000000000000000001",
    "12345678901234567890.12345678901234567890",
    r#""""#,
    r#"" ""#,
    r#""\"\\\/\b\f\n\r\t""#,
    r#""\u0001\u001f\u007f""#,
    r#""\u00e9é""#,
    r#""\ud83d\ude00 😀 𝄞""#,
    r#""\u2028\u2029\ufeff\ufffd""#,
    r#""'; DROP TABLE customer; --""#,
    r#""%s $1 ? :a @b {0}""#,
    "null",
    "true",
    "[]",
    "{}",
    r#"[null,[null,[]],{"a":null,"b":{"c":null}}]"#,
    r#"{"":"empty key"," ":"blank key","a.b":1,"a\"b":2,"é":3,"😀":4}"#,
    r#"{"z":1,"a":2,"m":{"y":1,"b":2}}"#,
    "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]",
];

/// Spellings that only a text keeps.
const SPELLINGS: &[&str] = &[
    "1e2",
    "1E+2",
    "-0",
    "-0.0",
    "1e400",
    r#"{ "spaced" :  [ 1 ,2 ] }"#,
    r#"{"twice":1,"twice":2}"#,
    r#""\u0000""#,
    r#""\ud800""#,
    r#""\u0041\u0062""#,
];

pub(super) async fn payloads_are_kept<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    let thing = stream("thing");
    let place = Place::new(fixture, std::slice::from_ref(&thing)).await?;
    let spellings = if fixture.exactness() == Exactness::Text { SPELLINGS } else { &[] };
    let rows: Vec<String> = VALUES
        .iter()
        .chain(spellings)
        .enumerate()
        .map(|(at, value)| {
            // As a value that is a column, and as one that the schema does not know.
            format!(r#"{{"unknown":{value},"note":{value},"id":"id_{at}","_account_id":"acct_1","_updated_at":1}}"#)
        })
        .collect();
    place.write_well(rows.iter().map(|row| upsert(&thing, row)).collect()).await?;
    place.expect(&thing, &rows.iter().map(String::as_str).collect::<Vec<_>>()).await
}

pub(super) async fn a_payload_of_a_mebibyte_is_kept<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let thing = stream("thing");
    let place = Place::new(fixture, std::slice::from_ref(&thing)).await?;
    let lines: Vec<String> = (0..16_384)
        .map(|at| format!(r#"{{"amount":{at},"text":"line {at} of a long invoice: žluťoučký"}}"#))
        .collect();
    let row =
        format!(r#"{{"id":"in_1","lines":[{}],"_account_id":"acct_1","_updated_at":1}}"#, lines.join(","));
    anyhow::ensure!(row.len() > 1 << 20, "the suite's own payload is too small");
    place.write_well(vec![upsert(&thing, &row)]).await.context("writing it")?;
    place.expect(&thing, &[&row]).await
}
