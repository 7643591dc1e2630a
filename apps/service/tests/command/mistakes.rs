//! What is wrong is told in a sentence, with exit code 2, and nothing is done.

use crate::program::sync_service;

#[track_caller]
fn refused(words: &[&str], expected: &str) {
    let program = sync_service();
    let ended = program.run(words).expect(2);
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert!(
        !program.path(".stripe-sync/service.db").exists() || words.contains(&"update"),
        "a store was made"
    );
}

#[test]
fn wrong_usage_is_told() {
    refused(&["pipelines"], "Usage:");
    refused(&["pipelines", "get"], "<ID>");
    refused(&["pipelines", "lst"], "unrecognized subcommand");
    refused(&["pipelines", "sync", "shop", "--chunk-time-limit", "0"], "a number of seconds above zero");
    refused(&["pipelines", "list", "--json", "--plain"], "cannot be used with");
    refused(&["pipelines", "wait", "shop"], "--event");
    refused(&["pipelines", "list", "--service-url", "localhost:1"], "must begin with http://");
    refused(
        &["pipelines", "list", "--source.stripe.api-key", "sk_test_veryverysecret"],
        "is for `pipelines create`",
    );
    refused(
        &["pipelines", "create", "--sauce.stripe.a", "1"],
        r#"must start with "source." or "destination.""#,
    );
    refused(&["pipelines", "create", "--source.stripe.api-key"], "needs a value");
}

#[test]
fn a_pipeline_that_cannot_be_meant_is_refused() {
    let program = sync_service();
    let refused = |words: &[&str], expected: &str| {
        let ended = program.run(&[&["pipelines"], words].concat()).expect(2);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    };
    let source = ["--source.stripe.api-key", "sk_test_veryverysecret"];
    refused(&["create"], "a pipeline has a source");
    refused(&[&["create"], &source[..]].concat(), "a pipeline has a destination");
    refused(&["create", "--source.shop.a", "1"], "there is no source `shop`; there are stripe");
    refused(&["create", "--source", "{", "--source.stripe.a", "1"], "--source: ");
    refused(&["create", "--x-pipeline", r#"{"sorce": 1}"#], "unknown member `sorce`");
    refused(&["get", "../audit"], "is no id of a pipeline");
    refused(&["update", "shop"], "nothing to change");
}

#[test]
fn what_the_api_refuses_is_told_in_its_words() {
    let program = sync_service();
    let ended = program.run(&["pipelines", "get", "shop"]).expect(1);
    assert_eq!(ended.stderr, "error: Pipeline shop not found\n");
    let words = ["--source.stripe.api-key", "sk_test_veryverysecret", "--source.stripe.rate-limit", "many"];
    let destination = ["--destination.sqlite.path", "a.db", "--skip-check"];
    let refused = |more: &[&str], expected: &str| {
        let ended = program.run(&[&["pipelines", "create"], &destination[..], more].concat()).expect(2);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
        ended.stderr
    };
    assert!(refused(&words, "source.stripe: ").contains("rate_limit"));
    refused(&[&words[..2], &["--id", "a/b"]].concat(), "id: Invalid id: ");
    refused(
        &[&words[..2], &["--streams", "customer,invoices"]].concat(),
        "streams.1.name: the source has no stream",
    );
}

#[test]
fn nobody_at_the_address_is_told_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", taken.local_addr().unwrap());
    drop(taken);
    let program = sync_service().variable("SERVICE_URL", &url);
    let ended = program.run(&["pipelines", "list"]).expect(1);
    assert!(ended.stderr.contains("Does `sync-service serve` run there?"), "{}", ended.stderr);
    assert!(!program.path(".stripe-sync").exists());
}
