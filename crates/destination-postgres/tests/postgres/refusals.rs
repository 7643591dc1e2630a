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
    tokio::join!(
        nobody_there(),
        a_failure_that_stays("57014", "raise it for this role, or lower batch_size"),
        a_failure_that_stays("53100", "The server's disk is full: make room"),
        a_database_that_stays_read_only(),
        crate::chaos::a_server_that_stays_away()
    );
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

async fn read_only(place: &Place, on: bool) {
    let database = place.url.rsplit('/').next().unwrap();
    let client = place.client().await;
    let sql = format!(
        "BEGIN READ WRITE; ALTER DATABASE {database} SET default_transaction_read_only = {on}; COMMIT"
    );
    client.batch_execute(&sql).await.unwrap();
}

async fn a_database_that_stays_read_only() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    read_only(&place, true).await;
    let mut more = catalog.clone();
    more.streams.push(plain_stream("other"));
    let write = place.write(&catalog, vec![record("thing", r#"{"id":"1","updated":1}"#)]);
    let (check, back, setup) = tokio::join!(place.check(), write, place.setup(&more));
    let (check, setup) = (check.unwrap_err(), setup.unwrap_err());
    for text in [check.to_string(), stream_errors(&back)[0].clone(), setup.to_string()] {
        assert!(text.contains("read-only transaction") && text.contains("Connect to the primary"), "{text}");
    }
    assert_eq!(setup.kind(), ErrorKind::Config);
    assert!(setup.to_string().contains("nothing was changed"), "{setup}");
}

/// After a failover a session may find itself on the server that was the primary; a new session finds the new one.
#[tokio::test]
async fn a_server_that_takes_writes_again_is_waited_for() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    read_only(&place, true).await;
    let again = async {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        read_only(&place, false).await;
    };
    let messages = vec![record("thing", r#"{"id":"1","updated":1}"#), state("thing", "1")];
    let (back, ()) = tokio::join!(place.write(&catalog, messages), again);
    assert_eq!(stream_errors(&back), [""; 0]);
    assert_eq!(place.query("SELECT id FROM stripe.thing").await, ["1"]);
}

#[tokio::test]
async fn a_right_that_is_lacking_is_said() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    let role = as_role(&place, "reader", "secret").await;
    let check = role.check().await.unwrap_err().to_string();
    assert!(check.contains("cannot be written: the role lacks rights. Let the owner run: GRANT"), "{check}");
    for right in [
        "GRANT USAGE ON SCHEMA stripe TO reader;",
        "GRANT CREATE ON SCHEMA stripe TO reader;",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON stripe.thing TO reader;",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON stripe._sync_state TO reader;",
    ] {
        assert!(check.contains(right), "{right} is not in {check}");
    }
    let elsewhere = Place { url: role.url.clone(), schema: "new".to_owned() };
    let check_elsewhere = elsewhere.check().await.unwrap_err().to_string();
    assert!(check_elsewhere.contains("GRANT CREATE ON DATABASE"), "{check_elsewhere}");
    // Following the advice is enough.
    let advice = check.split_once("run: ").unwrap().1;
    place.execute(advice).await;
    role.check().await.unwrap();
    place
        .execute(
            "REVOKE ALL ON SCHEMA stripe FROM reader; REVOKE ALL ON ALL TABLES IN SCHEMA stripe FROM reader",
        )
        .await;
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
    for sqlstate in ["40001", "40P01", "57014", "53200", "25006", "53100", "55P03"] {
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

async fn a_failure_that_stays(sqlstate: &str, advice: &str) {
    let place = place().await;
    let catalog = catalog([plain_stream("thing"), plain_stream("other")]);
    place.setup(&catalog).await.unwrap();
    failing(&place, sqlstate, 99).await;
    let messages = vec![
        record("thing", r#"{"id":"1","updated":1}"#),
        state("thing", "1"),
        record("other", r#"{"id":"1","updated":1}"#),
    ];
    let back = place.write(&catalog, messages).await;
    let [error] = &stream_errors(&back)[..] else { panic!("{back:?}") };
    assert!(error.contains(advice), "{error}");
    assert_eq!(place.query("SELECT last_value > 4 FROM failures").await, ["true"]);
    assert_eq!(place.query("SELECT count(*) FROM stripe.other").await, ["1"], "other streams go on");
    assert_eq!(place.state().await, None);
}

/// PostgreSQL keeps keys in pages of 8 KB.
#[tokio::test]
async fn a_row_too_large_is_named() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing"), plain_stream("other")]);
    place.setup(&catalog).await.unwrap();
    let mut number = 7_u64;
    let mut id = "big_".to_owned();
    while id.len() < 12_000 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        id.push_str(&format!("{number:x}"));
    }
    let messages = vec![
        record("thing", r#"{"id":"1","updated":1}"#),
        record("thing", &format!(r#"{{"id":"{id}","updated":1}}"#)),
        record("other", r#"{"id":"1","updated":1}"#),
    ];
    let back = place.write(&catalog, messages).await;
    let [error] = &stream_errors(&back)[..] else { panic!("{back:?}") };
    assert!(error.contains("row big_") && error.contains("index row"), "{error}");
    assert_eq!(place.query("SELECT count(*) FROM stripe.other").await, ["1"]);
}

#[tokio::test]
async fn what_jsonb_cannot_hold_is_replaced() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    let row =
        r#"{"id":"1","nul":"a\u0000b","half":"\ud83d!","whole":"\ud83d\ude00","back":"\\u0000","updated":1}"#;
    let back = place.write(&catalog, vec![record("thing", row)]).await;
    assert_eq!(stream_errors(&back), [""; 0]);
    let read = "SELECT concat_ws('|', _raw_data->>'nul', _raw_data->>'half', _raw_data->>'whole', _raw_data->>'back') \
                FROM stripe.thing";
    assert_eq!(place.query(read).await, ["a\u{fffd}b|\u{fffd}!|\u{1f600}|\\u0000"]);
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
    assert!(parse(r#"{"aws":{"host":"h","database":"d","user":"u","region":"r","role":"x"}}"#).is_err());
    let refusal = |text: &str| {
        let config = parse(text).unwrap();
        let checked =
            run_to_end(protocol::Destination::check(&destination_postgres::PostgresDestination, config));
        async move { checked.await.unwrap_err().to_string() }
    };
    let aws = r#""aws":{"host":"db.example.com","database":"d","user":"u","region":"eu-central-1""#;
    for (text, expected) in [
        (
            format!(r#"{{"url":"postgres://h/d",{aws}}}}}"#),
            "Specify either url/connection_string or aws config, not both",
        ),
        (format!(r#"{{{aws},"sslmode":"disable"}}}}"#), "must not travel unencrypted"),
        (format!(r#"{{{aws}}},"password_file":"/x"}}"#), "leave `password_file` out"),
        (r#"{"url":"postgres://u@h/d","ssl_cert_pem":"x"}"#.to_owned(), "belong together"),
        (
            r#"{"url":"postgres://u@h/d","ssl_cert_pem":"x","ssl_key_pem":"y"}"#.to_owned(),
            "ssl_key_pem is not a readable PEM",
        ),
    ] {
        let refusal = refusal(&text).await;
        assert!(refusal.contains(expected), "{refusal}");
    }
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
