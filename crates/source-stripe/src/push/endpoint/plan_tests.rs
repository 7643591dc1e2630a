use super::*;

const VERSION: &str = "2024-06-20";

fn endpoint(id: &str, mark: Option<&str>) -> Found {
    let mut metadata: std::collections::BTreeMap<String, String> =
        [(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned())].into();
    if let Some(secret) = mark {
        metadata.insert(PIPELINE.to_owned(), Mark::of(secret).to_string());
    }
    Found {
        id: id.to_owned(),
        url: "https://example.com".to_owned(),
        status: "enabled".to_owned(),
        events: events(),
        api_version: Some(VERSION.to_owned()),
        metadata,
    }
}

fn events() -> BTreeSet<String> {
    ["customer.created".to_owned()].into()
}

/// What is planned: in words, so that a case fits in a line.
fn planned(found: &[Found], secret: Option<&str>) -> String {
    // Stripe keeps an address as it was given; the slash at its end does not tell addresses apart.
    let url: Url = "https://example.com/".parse().unwrap();
    let wanted = Wanted { url: &url, api_version: VERSION, events: &events(), connect: false };
    let ids = |found: &[&Found]| found.iter().map(|f| f.id.as_str()).collect::<Vec<_>>().join(",");
    let plan = register(found, &wanted, secret.map(Mark::of).as_ref());
    let what = match &plan {
        Plan::Keep { endpoint, changes, .. } => {
            let enable = if changes.enable { " enable" } else { "" };
            let events = if changes.events.is_some() { " events" } else { "" };
            let mark = if changes.mark.is_some() { " mark" } else { "" };
            format!("keep {}{enable}{events}{mark}", endpoint.id)
        }
        Plan::Foreign { endpoint, .. } => format!("foreign {}", endpoint.id),
        Plan::Create { instead_of, .. } => format!("create for {}", ids(instead_of)),
    };
    format!("{what} beside {}", ids(plan.others()))
}

#[test]
fn an_endpoint_is_found_again() {
    assert_eq!(planned(&[], None), "create for  beside ");
    assert_eq!(planned(&[], Some("s")), "create for  beside ");
    let ours = endpoint("a", Some("s"));
    assert_eq!(planned(std::slice::from_ref(&ours), Some("s")), "keep a beside ");
    let disabled = Found { status: "disabled".to_owned(), ..ours.clone() };
    assert_eq!(planned(&[disabled], Some("s")), "keep a enable beside ");
    let all = Found { events: ["*".to_owned()].into(), ..ours.clone() };
    assert_eq!(planned(&[all], Some("s")), "keep a events beside ");
    let elsewhere = Found { url: "https://example.com/other".to_owned(), ..ours };
    assert_eq!(planned(&[elsewhere], Some("s")), "create for  beside ");
}

#[test]
fn endpoints_of_other_implementations_are_adopted() {
    let theirs = endpoint("a", None);
    assert_eq!(planned(std::slice::from_ref(&theirs), Some("s")), "keep a mark beside ");
    let disabled = Found { id: "b".to_owned(), status: "disabled".to_owned(), ..theirs.clone() };
    assert_eq!(planned(&[disabled.clone(), theirs.clone(), disabled], Some("s")), "keep a mark beside ");
    // Whose secret nobody knows has to be made anew.
    assert_eq!(planned(&[theirs], None), "create for a beside ");
}

#[test]
fn the_version_of_an_endpoint_stays() {
    let old = Found { api_version: Some("2020-08-27".to_owned()), ..endpoint("a", Some("s")) };
    assert_eq!(planned(std::slice::from_ref(&old), Some("s")), "create for a beside ");
    assert_eq!(planned(std::slice::from_ref(&old), None), "create for  beside a");
    assert_eq!(planned(&[Found { api_version: None, ..old }], Some("s")), "create for a beside ");
}

#[test]
fn pipelines_at_one_address_leave_each_other_alone() {
    let found = [endpoint("a", Some("s")), endpoint("b", Some("t"))];
    assert_eq!(planned(&found, Some("s")), "keep a beside b");
    assert_eq!(planned(&found, Some("t")), "keep b beside a");
    assert_eq!(planned(&found, Some("u")), "create for  beside a,b");
    let url = "https://example.com/".parse().unwrap();
    let removed = |secret: Option<&str>| {
        let found = remove(&found, &url, VERSION, secret.map(Mark::of).as_ref());
        found.iter().map(|endpoint| endpoint.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(removed(Some("s")), ["a"]);
    assert!(removed(Some("u")).is_empty());
}

#[test]
fn what_was_made_by_hand_is_left_alone() {
    let foreign = Found { metadata: std::collections::BTreeMap::new(), ..endpoint("a", None) };
    let found = [foreign];
    // Its secret is known, so it is the one that is used.
    assert_eq!(planned(&found, Some("s")), "foreign a beside ");
    assert_eq!(planned(&found, None), "create for  beside ");
    let url = "https://example.com/".parse().unwrap();
    assert!(remove(&found, &url, VERSION, None).is_empty());
    let both = [found[0].clone(), endpoint("b", Some("s"))];
    assert_eq!(planned(&both, Some("s")), "keep b beside ");
}
