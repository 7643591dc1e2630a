use super::*;

const START: StreamStatus = StreamStatus::Start { time_range: None, reason: None };

fn skip(reason: &str) -> StreamStatus {
    StreamStatus::Skip { reason: reason.to_owned() }
}

fn error(error: &str) -> StreamStatus {
    StreamStatus::Error { error: error.to_owned() }
}

/// Statuses of one stream `s` in so many accounts.
struct One(Statuses);

impl One {
    fn of(accounts: usize) -> One {
        let mut statuses = Statuses::new(["s".into()]);
        for number in 0..accounts {
            statuses.begin(number, &format!("acct_{number}").into());
        }
        One(statuses)
    }

    fn take(&mut self, account: usize, status: StreamStatus) -> Vec<StreamStatus> {
        self.0.take(account, &"s".into(), status)
    }

    fn end(&mut self, account: usize, trouble: Option<&Trouble>) -> Vec<StreamStatus> {
        self.0.end(account, trouble).into_iter().map(|(_, status)| status).collect()
    }
}

#[test]
fn a_stream_ends_once_all_accounts_have_ended_it() {
    let mut one = One::of(3);
    assert_eq!(one.take(0, START), [START]);
    assert_eq!(one.take(1, START), []);
    assert_eq!(one.take(1, StreamStatus::Complete), []);
    assert!(one.0.is_read(1) && !one.0.is_read(0));
    assert_eq!(one.take(0, skip("no Issuing")), []);
    assert_eq!(one.take(2, StreamStatus::Complete), [StreamStatus::Complete]);
    assert_eq!(one.0.troubles(0)["s"], &Trouble::Skipped("no Issuing".to_owned()));
}

#[test]
fn a_stream_that_all_skip_is_skipped() {
    let mut one = One::of(5);
    for account in 0..4 {
        assert_eq!(one.take(account, skip("no")), []);
    }
    let reason = "acct_0: no; acct_1: no; acct_2: no; and in 2 more accounts";
    assert_eq!(one.take(4, skip("no")), [skip(reason)]);
}

#[test]
fn a_stream_that_fails_anywhere_fails() {
    let mut one = One::of(3);
    one.take(0, skip("no"));
    one.take(1, error("broken"));
    assert_eq!(one.take(2, StreamStatus::Complete), [error("acct_1: broken")]);
}

#[test]
fn an_account_that_says_nothing_had_nothing_to_do() {
    let mut one = One::of(2);
    assert_eq!(one.end(0, None), []);
    assert_eq!(one.take(1, StreamStatus::Complete), [StreamStatus::Complete]);
    assert_eq!(one.end(1, None), []);
}

#[test]
fn an_account_without_access_ends_all_of_its_streams() {
    let mut one = One::of(2);
    one.take(0, StreamStatus::Complete);
    assert_eq!(one.end(1, Some(&Trouble::Skipped("revoked".to_owned()))), [StreamStatus::Complete]);
    let mut strict = One::of(2);
    strict.take(0, StreamStatus::Complete);
    let revoked = Trouble::Failed("revoked".to_owned());
    assert_eq!(strict.end(1, Some(&revoked)), [error("acct_1: revoked")]);
}

#[test]
fn later_trouble_passes_and_so_does_its_end() {
    let mut one = One::of(2);
    one.take(0, StreamStatus::Complete);
    assert_eq!(one.take(1, StreamStatus::Complete), [StreamStatus::Complete]);
    assert_eq!(one.take(0, error("behind")), [error("acct_0: behind")]);
    assert_eq!(one.take(1, error("behind")), [error("acct_1: behind")]);
    assert_eq!(one.take(0, StreamStatus::Complete), [], "acct_1 still is");
    assert_eq!(one.take(1, START), []);
    assert_eq!(one.take(1, StreamStatus::Complete), [START, StreamStatus::Complete]);
    // An account that joins later says nothing new.
    one.0.begin(2, &"acct_2".into());
    assert_eq!(one.take(2, StreamStatus::Complete), []);
}

#[test]
fn an_account_that_comes_back_is_read_anew() {
    let mut one = One::of(2);
    one.take(0, StreamStatus::Complete);
    let revoked = Trouble::Failed("revoked".to_owned());
    assert_eq!(one.end(1, Some(&revoked)), [error("acct_1: revoked")]);
    one.0.begin(1, &"acct_1".into());
    assert!(!one.0.is_read(1));
    assert_eq!(one.take(1, START), []);
    assert_eq!(one.take(1, StreamStatus::Complete), [START, StreamStatus::Complete]);
}
