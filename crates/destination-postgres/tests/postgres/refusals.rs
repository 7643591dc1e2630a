//! What the server or the data refuses, and how it is said.

use protocol::{ErrorKind, Payload, run_to_end};
use test_utils::postgres::shared_cluster;

use crate::harness::{Place, catalog, place, plain_stream, record, state, stream_errors, stripe_stream};

fn charge(id: &str, field: &str, value: &str) -> protocol::Message {
    let data = format!(r#"{{"id":"{id}","_account_id":"acct_1","_updated_at":1,"{field}":{value}}}"#);
    record("charge", &data)
}

#[tokio::test]
async fn a_value_that_does_not_fit_names_row_and_column() {
    let place = place().await;
    let catalog = catalog([stripe_stream("charge"), stripe_stream("refund")]);
    place.setup(&catalog).await.unwrap();
    for (field, value, expected) in [
        ("amount", "1.5", "\"amount\" (bigint): invalid input syntax for type bigint: \"1.5\""),
        (
            "amount",
            "99999999999999999999",
            "\"amount\" (bigint): value \"99999999999999999999\" is out of range",
        ),
        ("livemode", "\"maybe\"", "\"livemode\" (boolean): invalid input syntax for type boolean"),
        ("percent", "\"12 %\"", "\"percent\" (numeric): invalid input syntax for type numeric"),
        ("_account_id", "\"acct_9\"", "violates check constraint \"chk_charge__account_id\""),
        ("big", "1e999999", "row ch_bad, acct_1 is refused"),
    ] {
        let mut messages: Vec<_> = (0..50).map(|n| charge(&format!("ch_{n}"), "amount", "1")).collect();
        messages.insert(37, charge("ch_bad", field, value));
        messages.push(state("charge", "1"));
        messages.push(record("refund", r#"{"id":"re_1","_account_id":"acct_1","_updated_at":1}"#));
        let back = place.write(&catalog, messages).await;
        let [error] = &stream_errors(&back)[..] else { panic!("{field}: {back:?}") };
        assert!(error.contains("stream \"charge\"") && error.contains("row ch_bad, acct_"), "{error}");
        assert!(error.contains(expected), "{error}");
        assert_eq!(place.query("SELECT count(*) FROM stripe.charge").await, ["0"]);
        assert_eq!(place.query("SELECT count(*) FROM stripe.refund").await, ["1"], "other streams go on");
        assert_eq!(place.state().await, None);
    }
}

#[tokio::test]
async fn a_record_without_key_or_version_fails_its_stream() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing"), plain_stream("other")]);
    place.setup(&catalog).await.unwrap();
    for (data, expected) in [
        (r#"{"updated":1}"#, "primary key field `id` of a record is missing"),
        (r#"{"id":"x_1"}"#, "record x_1 has no numeric `updated`"),
        (r#"{"id":"x_1","updated":"soon"}"#, "record x_1 has no numeric `updated`"),
    ] {
        let back = place
            .write(&catalog, vec![record("thing", data), record("other", r#"{"id":"1","updated":1}"#)])
            .await;
        let [error] = &stream_errors(&back)[..] else { panic!("{back:?}") };
        assert!(error.contains("stream \"thing\"") && error.contains(expected), "{error}");
        assert!(back.iter().any(
            |message| matches!(&message.payload, Payload::Record(record) if &*record.stream == "other")
        ));
    }
    let back = place.write(&catalog, vec![record("unknown", r#"{"id":"1","updated":1}"#)]).await;
    assert!(stream_errors(&back)[0].contains("\"unknown\" is not in the catalog"));
}

/// The same place with another role, whose password is `secret`.
async fn as_role(place: &Place, role: &str, password: &str) -> Place {
    let database = place.url.rsplit('/').next().unwrap();
    let sql = format!("CREATE ROLE \"{role}\" LOGIN PASSWORD 'secret'");
    shared_cluster().execute(&sql).await;
    let url = format!("postgres://{role}:{password}@127.0.0.1:{}/{database}", shared_cluster().port());
    Place { url, schema: place.schema.clone() }
}

async fn refused(place: &Place) -> (ErrorKind, String) {
    let check = place.check().await.unwrap_err().to_string();
    let input = Box::pin(futures::stream::empty());
    let error = run_to_end(place.write_stream(&catalog([plain_stream("thing")]), input)).await.unwrap_err();
    assert!(check.contains("PostgreSQL at 127.0.0.1:"), "{check}");
    (error.kind(), error.to_string())
}

#[tokio::test]
async fn logging_in_may_fail() {
    let place = place().await;
    let wrong = as_role(&place, "wrong_password", "guess").await;
    let (kind, text) = refused(&wrong).await;
    assert_eq!(kind, ErrorKind::Auth);
    assert!(
        text.contains("password authentication failed") && text.contains("Check user and password"),
        "{text}"
    );
    assert!(!text.contains("guess"), "{text}");
    let missing = Place { url: format!("{}_missing", place.url), schema: "public".to_owned() };
    let (kind, text) = refused(&missing).await;
    assert_eq!(kind, ErrorKind::Config);
    assert!(text.contains("does not exist") && text.contains("Create the database"), "{text}");
}

/// Together, because each takes all the tries.
#[tokio::test]
async fn what_does_not_pass_is_given_up() {
    tokio::join!(nobody_there(), a_statement_timeout(), crate::chaos::a_server_that_stays_away());
}

async fn nobody_there() {
    let nobody = Place { url: "postgres://u:secret@127.0.0.1:1/db".to_owned(), schema: "public".to_owned() };
    let check = nobody.check().await.unwrap_err().to_string();
    assert!(check.contains("PostgreSQL at 127.0.0.1:1/db cannot be reached: Connection refused"), "{check}");
    assert!(check.contains("Check that the server runs") && !check.contains("secret"), "{check}");
    let nowhere =
        Place { url: "postgres://u@no-such-host.invalid/db".to_owned(), schema: "public".to_owned() };
    let check = nowhere.check().await.unwrap_err().to_string();
    assert!(check.contains("no-such-host.invalid:5432/db cannot be reached"), "{check}");
    let (kind, _) = refused(&nobody).await;
    assert_eq!(kind, ErrorKind::Transient);
}

#[tokio::test]
async fn a_read_only_database_is_said() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    let database = place.url.rsplit('/').next().unwrap();
    place.execute(&format!("ALTER DATABASE {database} SET default_transaction_read_only = on")).await;
    let check = place.check().await.unwrap_err().to_string();
    let back = place.write(&catalog, vec![record("thing", r#"{"id":"1","updated":1}"#)]).await;
    for text in [check, stream_errors(&back)[0].clone()] {
        assert!(text.contains("read-only transaction") && text.contains("Connect to the primary"), "{text}");
    }
    let mut more = catalog.clone();
    more.streams.push(plain_stream("other"));
    let error = place.setup(&more).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("nothing was changed"), "{error}");
}

#[tokio::test]
async fn a_right_that_is_lacking_is_said() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    let role = as_role(&place, "reader", "secret").await;
    let check = role.check().await.unwrap_err().to_string();
    assert!(
        check.contains("schema \"stripe\" cannot be written") && check.contains("Grant the role"),
        "{check}"
    );
    place
        .execute(
            "GRANT USAGE ON SCHEMA stripe TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA stripe TO reader",
        )
        .await;
    let back = role.write(&catalog, vec![record("thing", r#"{"id":"1","updated":1}"#)]).await;
    assert!(stream_errors(&back)[0].contains("permission denied for table thing"), "{back:?}");
    // One that may write but not create can run setup again and write.
    place.execute("GRANT ALL ON ALL TABLES IN SCHEMA stripe TO reader").await;
    role.setup(&catalog).await.unwrap();
    let back = role.write(&catalog, vec![record("thing", r#"{"id":"1","updated":1}"#)]).await;
    assert_eq!(stream_errors(&back), [""; 0]);
}

/// Lets the first `times` writes into `stripe.thing` fail with an SQLSTATE. A sequence is not rolled back.
async fn failing(place: &Place, sqlstate: &str, times: u32) {
    place
        .execute(&format!(
            "CREATE SEQUENCE failures;
             CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               IF nextval('failures') <= {times} THEN RAISE EXCEPTION 'made up' USING ERRCODE = '{sqlstate}'; END IF;
               RETURN NULL;
             END $$;
             CREATE TRIGGER fail BEFORE INSERT ON stripe.thing FOR EACH STATEMENT EXECUTE FUNCTION fail();"
        ))
        .await;
}

#[tokio::test]
async fn passing_failures_are_tried_again() {
    for sqlstate in ["40001", "40P01", "57014", "53200"] {
        let place = place().await;
        let catalog = catalog([plain_stream("thing")]);
        place.setup(&catalog).await.unwrap();
        failing(&place, sqlstate, 1).await;
        let back = place
            .write(&catalog, vec![record("thing", r#"{"id":"1","updated":1}"#), state("thing", "1")])
            .await;
        assert_eq!(back.len(), 2, "{sqlstate}: {back:?}");
        assert_eq!(place.query("SELECT id FROM stripe.thing").await, ["1"]);
    }
}

#[tokio::test]
async fn a_full_disk_is_not_tried_again() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    failing(&place, "53100", 1).await;
    let back = place.write(&catalog, vec![record("thing", r#"{"id":"1","updated":1}"#)]).await;
    assert!(stream_errors(&back)[0].contains("The server's disk is full"), "{back:?}");
    assert_eq!(place.query("SELECT last_value FROM failures").await, ["1"]);
}

async fn a_statement_timeout() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    failing(&place, "57014", 99).await;
    let back = place.write(&catalog, vec![record("thing", r#"{"id":"1","updated":1}"#)]).await;
    assert!(stream_errors(&back)[0].contains("raise it for this role, or lower batch_size"), "{back:?}");
    assert_eq!(place.query("SELECT last_value FROM failures").await, ["5"]);
}

#[tokio::test]
async fn configurations_are_strict() {
    use destination_postgres::PostgresConfig;
    let parse = |text: &str| serde_json::from_str::<PostgresConfig>(text);
    assert!(
        parse(r#"{"url":"postgres://h/d","bach_size":5}"#).unwrap_err().to_string().contains("bach_size")
    );
    assert!(parse(r#"{"url":"postgres://h/d","batch_size":0}"#).is_err());
    let config = parse(r#"{"connection_string":"postgres://u:secret@h/d"}"#).unwrap();
    assert_eq!(config.schema, "public");
    assert!(!format!("{config:?}").contains("secret"));
    let none = run_to_end(protocol::Destination::check(
        &destination_postgres::PostgresDestination,
        parse("{}").unwrap(),
    ));
    assert!(
        none.await
            .unwrap_err()
            .to_string()
            .contains("Either url/connection_string or aws config is required")
    );
}
