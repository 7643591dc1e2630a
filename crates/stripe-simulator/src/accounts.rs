//! Controls accounts that are connected to the one behind the keys, and the keys.

use crate::SimulatorError;
use crate::access::Permissions;
use crate::connect::TABLE;
use crate::control::Control;
use crate::state::Served;

impl Control {
    /// The handle to the account `id`: this one, or one connected to it, also if access to it was revoked
    /// since.
    ///
    /// The ids of connected accounts are those of the table `account`.
    pub fn account(&self, id: &str) -> Result<Self, SimulatorError> {
        let state = &self.state;
        if id == state.id {
            return Ok(self.clone());
        }
        let revoked = || state.connections().and_then(|connections| connections.made(id));
        match state.connected(id).or_else(revoked) {
            Some(state) => Ok(Self { state }),
            None => Err(SimulatorError::NoSuchObject { table: TABLE.to_owned(), id: id.to_owned() }),
        }
    }

    /// The account that this handle is for, e.g. `acct_1SimB7WZ01zgkWwI`.
    pub fn account_id(&self) -> String {
        self.state.id.clone()
    }

    /// The connected account `id` no longer lets this one in: requests for it are refused, it leaves the list of
    /// accounts, and its events are not delivered here. Nobody is told.
    pub fn revoke(&self, id: &str) -> Result<(), SimulatorError> {
        // The account goes on without the platform, so it must be there.
        self.account(id)?;
        let missing = || SimulatorError::NoSuchObject { table: TABLE.to_owned(), id: id.to_owned() };
        let connections = self.state.connections().ok_or_else(missing)?;
        let mut revoked = connections.revoked();
        if revoked.contains_key(id) {
            return Ok(());
        }
        let withdrawn = self.all_served().map(|served| {
            let mut world = served.world_mut();
            let table = world.table_index(TABLE).ok()?;
            world.withdraw(table, id)
        });
        revoked.insert(id.to_owned(), withdrawn.collect());
        Ok(())
    }

    /// Undoes [`Self::revoke`].
    pub fn restore(&self, id: &str) -> Result<(), SimulatorError> {
        let missing = || SimulatorError::NoSuchObject { table: TABLE.to_owned(), id: id.to_owned() };
        let connections = self.state.connections().ok_or_else(missing)?;
        let Some(withdrawn) = connections.revoked().remove(id) else {
            return self.account(id).map(drop);
        };
        for (served, withdrawn) in self.all_served().zip(withdrawn) {
            let mut world = served.world_mut();
            if let (Ok(table), Some(withdrawn)) = (world.table_index(TABLE), withdrawn) {
                world.reinstate(table, withdrawn);
            }
        }
        Ok(())
    }

    fn all_served(&self) -> impl Iterator<Item = &Served> {
        [&self.state.main].into_iter().chain(&self.state.others)
    }

    /// From now on `key` is accepted for what `permissions` allow.
    pub fn set_key(&self, key: &str, permissions: Permissions) {
        self.state.keys.set(key, permissions);
    }

    /// From now on `key` is not accepted; false when it was not before.
    pub fn remove_key(&self, key: &str) -> bool {
        self.state.keys.remove(key)
    }

    /// The keys that are accepted, and what they may do.
    pub fn keys(&self) -> Vec<(String, Permissions)> {
        self.state.keys.all()
    }
}
