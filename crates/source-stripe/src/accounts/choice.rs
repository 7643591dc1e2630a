//! Which accounts are read, as the configuration says it.

use std::borrow::Cow;
use std::fmt;

use protocol::ConnectorError;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::client::Behalf;

/// How keys of organisations begin. They name an account with every request.
const ORGANISATION: &str = "sk_org_";

const ALL: &str = "all";

/// The accounts that a configuration chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accounts {
    /// The account of the key, and all that are connected to it.
    All,
    /// These, by their ids. Keys of organisations may name accounts that are connected to one of theirs by a path,
    /// `acct_theirs/acct_connected`.
    These(Vec<String>),
}

/// An account to read, and how it is named in requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) id: String,
    /// The id, or a path that ends with it.
    pub(crate) named: String,
}

impl Chosen {
    pub(crate) fn new(named: &str) -> Chosen {
        let id = named.rsplit('/').next().unwrap_or(named).to_owned();
        Chosen { id, named: named.to_owned() }
    }
}

impl Accounts {
    /// The accounts by name; `None` for all.
    pub(crate) fn chosen(&self) -> Option<Vec<Chosen>> {
        match self {
            Accounts::All => None,
            Accounts::These(names) => Some(names.iter().map(|name| Chosen::new(name)).collect()),
        }
    }

    /// The ids of the accounts; none for all.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.chosen().unwrap_or_default().into_iter().map(|chosen| chosen.id).collect()
    }

    fn these<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Accounts, String> {
        let mut these: Vec<String> = Vec::new();
        for name in names {
            let is_id = |part: &str| {
                let rest = part.strip_prefix("acct_").unwrap_or_default();
                !rest.is_empty() && rest.chars().all(|character| character.is_ascii_alphanumeric())
            };
            if !name.split('/').all(is_id) {
                return Err(format!(
                    "accounts: {name:?} is not the id of an account (acct_…): give \"{ALL}\", or a list of ids"
                ));
            }
            let id = Chosen::new(name).id;
            if these.iter().any(|other| Chosen::new(other).id == id) {
                return Err(format!("accounts: {id} is named twice"));
            }
            these.push(name.to_owned());
        }
        match these.is_empty() {
            true => Err(format!(
                "accounts is empty: give \"{ALL}\", a list of ids (acct_…), or leave it away to read the account of the \
                 key alone"
            )),
            false => Ok(Accounts::These(these)),
        }
    }
}

impl Serialize for Accounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Accounts::All => serializer.serialize_str(ALL),
            Accounts::These(names) => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Accounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Accounts, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Accounts;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "accounts: \"{ALL}\" or a list of the ids of accounts (acct_…)")
            }

            /// Where only text can be given, ids are separated by commas.
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Accounts, E> {
                match text.trim() {
                    ALL => Ok(Accounts::All),
                    "" => Accounts::these([]).map_err(E::custom),
                    names => Accounts::these(names.split(',').map(str::trim)).map_err(E::custom),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Accounts, A::Error> {
                let mut names: Vec<String> = Vec::new();
                while let Some(name) = items.next_element()? {
                    names.push(name);
                }
                Accounts::these(names.iter().map(String::as_str)).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl JsonSchema for Accounts {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Accounts".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                {"type": "string", "const": ALL},
                {
                    "type": "array",
                    "items": {"type": "string", "pattern": "^acct_[A-Za-z0-9]+(/acct_[A-Za-z0-9]+)*$"},
                    "minItems": 1,
                    "uniqueItems": true,
                },
            ],
        })
    }
}

/// Whether a key is that of an organisation.
pub(crate) fn is_organisation(key: &str) -> bool {
    key.starts_with(ORGANISATION)
}

/// The account that stands for the key itself, where the key stands for none: an organisation's.
///
/// Fails where names and key do not go together.
pub(crate) fn context(
    key: &str,
    account_id: Option<&str>,
    accounts: Option<&Accounts>,
) -> Result<Option<Behalf>, ConnectorError> {
    let chosen = accounts.and_then(Accounts::chosen).unwrap_or_default();
    if !is_organisation(key) {
        return match chosen.iter().find(|chosen| chosen.named != chosen.id) {
            None => Ok(None),
            Some(path) => Err(ConnectorError::config(format!(
                "accounts: {} is a path, which only keys of organisations ({ORGANISATION}…) take: give the id {} alone",
                path.named, path.id
            ))),
        };
    }
    let first = || chosen.first().map(|first| first.named.as_str());
    match account_id.or_else(first) {
        Some(named) => Behalf::context(named).map(Some),
        None => Err(ConnectorError::config(format!(
            "api_key is the key of an organisation ({ORGANISATION}…), which has several accounts: say which one to read by \
             account_id, or which ones by accounts, a list of ids (acct_…). The first of them names the sync"
        ))),
    }
}

/// How requests in the name of `chosen` are made with the key of the account `own`; `every` says that it is one of
/// those connected to `own`.
pub(crate) fn behalf(key: &str, own: &str, chosen: &Chosen, every: bool) -> Result<Behalf, ConnectorError> {
    match (is_organisation(key), every) {
        (false, _) => Behalf::connected(&chosen.id),
        (true, false) => Behalf::context(&chosen.named),
        (true, true) => Behalf::context(&format!("{own}/{}", chosen.id)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: Value) -> Result<Accounts, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    fn these(names: &[&str]) -> Accounts {
        Accounts::These(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn all_or_some_are_chosen() {
        assert_eq!(read(json!("all")), Ok(Accounts::All));
        assert_eq!(read(json!(["acct_1", "acct_2"])), Ok(these(&["acct_1", "acct_2"])));
        assert_eq!(read(json!("acct_1, acct_2")), Ok(these(&["acct_1", "acct_2"])), "as in the environment");
        for accounts in [Accounts::All, these(&["acct_1"])] {
            assert_eq!(read(serde_json::to_value(&accounts).unwrap()), Ok(accounts));
        }
    }

    #[test]
    fn mistakes_are_named() {
        let refused = |value: Value| read(value).unwrap_err();
        assert!(refused(json!([])).contains("accounts is empty"));
        assert!(refused(json!("")).contains("accounts is empty"));
        assert!(refused(json!(["acct_1", "cus_2"])).contains("\"cus_2\" is not the id of an account"));
        assert!(refused(json!("every")).contains("give \"all\""));
        assert!(refused(json!(["acct_1", "acct_1"])).contains("acct_1 is named twice"));
        assert!(refused(json!(true)).contains("accounts: \"all\" or a list"));
        assert!(refused(json!(["acct_1\r\nx: y"])).contains("is not the id"));
    }

    #[test]
    fn organisations_name_an_account_with_every_request() {
        let context = |key, id, accounts: Option<&Accounts>| super::context(key, id, accounts);
        assert_eq!(context("sk_test_1", None, Some(&these(&["acct_1"]))).unwrap(), None);
        let own = Behalf::context("acct_9").unwrap();
        assert_eq!(context("sk_org_1", Some("acct_9"), Some(&Accounts::All)).unwrap(), Some(own));
        let first = Behalf::context("acct_1/acct_2").unwrap();
        assert_eq!(context("sk_org_1", None, Some(&these(&["acct_1/acct_2"]))).unwrap(), Some(first));
        for accounts in [None, Some(&Accounts::All)] {
            let error = context("sk_org_1", None, accounts).unwrap_err().to_string();
            assert!(error.contains("account_id"), "{error}");
        }
        let path = context("sk_test_1", None, Some(&these(&["acct_1/acct_2"]))).unwrap_err().to_string();
        assert!(path.contains("give the id acct_2 alone"), "{path}");
    }

    #[test]
    fn requests_name_the_account() {
        let chosen = Chosen::new("acct_1/acct_2");
        assert_eq!(chosen.id, "acct_2");
        let named = |key, chosen: &Chosen, every| behalf(key, "acct_1", chosen, every).unwrap();
        assert_eq!(named("sk_org_1", &chosen, false), Behalf::context("acct_1/acct_2").unwrap());
        let found = Chosen::new("acct_3");
        assert_eq!(named("sk_org_1", &found, true), Behalf::context("acct_1/acct_3").unwrap());
        assert_eq!(named("sk_test_1", &found, true), Behalf::connected("acct_3").unwrap());
    }
}
