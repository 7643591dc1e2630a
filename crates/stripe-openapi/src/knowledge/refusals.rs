//! Refusals: answers by which Stripe says that an account, a mode or a key has no access to a list.

/// A known refusal. The stream it meets is skipped with `reason`; any other refusal is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// A part of Stripe's message, compared without regard to case.
    pub fragment: &'static str,
    /// The tables whose lists may be refused so.
    pub scope: Scope,
    /// Why the list is refused, for the user.
    pub reason: &'static str,
}

/// The tables that a refusal may concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Any table.
    Any,
    /// This table.
    Table(&'static str),
    /// All tables whose name begins so.
    Family(&'static str),
}

impl Scope {
    /// Whether `table` is one of them.
    pub fn contains(&self, table: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Table(name) => *name == table,
            Self::Family(prefix) => table.starts_with(prefix),
        }
    }
}

const fn refusal(fragment: &'static str, scope: Scope, reason: &'static str) -> Refusal {
    Refusal { fragment, scope, reason }
}

/// Every known refusal (fidelity K3).
pub const REFUSALS: [Refusal; 9] = [
    refusal(
        "Your account is not authorized to send Forwarding requests in livemode",
        Scope::Table("forwarding_request"),
        "forwarding requests are not enabled for this account in live mode",
    ),
    refusal("only available in testmode", Scope::Any, "Stripe offers this in test mode only"),
    refusal("isn't available in test mode", Scope::Any, "Stripe offers this in live mode only"),
    refusal(
        "Have you onboarded to Treasury",
        Scope::Family("treasury_"),
        "Treasury is not enabled for this account",
    ),
    refusal(
        "Unrecognized request URL (GET: /v1/treasury/financial_accounts)",
        Scope::Family("treasury_"),
        "Treasury is not enabled for this account",
    ),
    refusal(
        "Accounts v2 is not enabled",
        Scope::Family("v2_core_account"),
        "Accounts v2 is not enabled for this account",
    ),
    refusal(
        "API surface is not enabled",
        Scope::Family("v2_"),
        "this part of the v2 API is not enabled for this account",
    ),
    refusal(
        "Your account is not set up to use Issuing",
        Scope::Family("issuing_"),
        "Issuing is not enabled for this account",
    ),
    refusal(
        "Your account is not set up to use Identity",
        Scope::Family("identity_"),
        "Identity is not enabled for this account",
    ),
];

/// The known refusal that Stripe's `message` for the list of `table` is, if it is one.
pub fn find(table: &str, message: &str) -> Option<&'static Refusal> {
    let message = message.to_lowercase();
    let matches =
        |known: &&Refusal| known.scope.contains(table) && message.contains(&known.fragment.to_lowercase());
    REFUSALS.iter().find(matches)
}

/// The permission that a restricted key lacks, named in Stripe's message, e.g. `rak_customer_read`
/// (fidelity K2).
pub fn missing_permission(message: &str) -> Option<&str> {
    let start = message.find("rak_")?;
    let name = &message[start..];
    let end = name.find(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let name = &name[..end.unwrap_or(name.len())];
    (name.len() > "rak_".len() && message.to_lowercase().contains("permission")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_counts_only_for_the_tables_it_may_concern() {
        let message = "Your account is not set up to use issuing. Please visit https://dashboard.stripe.com";
        assert_eq!(find("issuing_card", message).unwrap().reason, "Issuing is not enabled for this account");
        assert_eq!(find("customer", message), None);
        assert!(
            find("test_helpers_test_clock", "This endpoint is only available in testmode. Try ...").is_some()
        );
        assert_eq!(find("customer", "No such customer"), None);
    }

    #[test]
    fn the_missing_permission_of_a_restricted_key_is_named() {
        let message = "The provided key 'rk_live_*********abc' does not have the required permissions for this \
                       endpoint on account 'acct_1'. Having the 'rak_customer_read' permission would allow this \
                       request to continue.";
        assert_eq!(missing_permission(message), Some("rak_customer_read"));
        assert_eq!(missing_permission("Invalid API Key provided: rak_"), None);
        assert_eq!(missing_permission("Invalid API Key provided"), None);
    }
}
