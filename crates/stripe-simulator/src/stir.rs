//! Random changes that an account could see, repeatable by their seed.

use serde_json::{Map, Value, json};

use crate::chance::{below, draw};
use crate::control::Control;
use crate::world::{Mutation, World};
use crate::{SimulatorError, world::ADDED};

/// Tables that get objects and changes; each has events for all that happens here.
const TABLES: [&str; 10] = [
    "customer",
    "product",
    "price",
    "plan",
    "coupon",
    "subscription",
    "invoice",
    "charge",
    "payment_intent",
    "tax_id",
];
/// Tables whose objects may go.
const MORTAL: [&str; 6] = ["customer", "product", "plan", "coupon", "tax_id", "invoice"];
/// Tables whose ids the user chooses and may use again.
const NAMED: [&str; 3] = ["coupon", "plan", "product"];
const CLOCKS: &str = "test_helpers_test_clock";
/// How often an object is drawn that is to have a certain state.
const DRAWS: usize = 8;
/// How many chosen ids there are per table: few, so that they come again.
const NAMES: u64 = 6;

/// Draws one number after the other.
#[derive(Debug)]
struct Dice {
    seed: u64,
    rolled: u64,
}

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.rolled += 1;
        below(draw(self.seed, self.rolled, 0x571a), sides as u64) as usize
    }

    fn pick<'a>(&mut self, options: &[&'a str]) -> &'a str {
        options[self.roll(options.len())]
    }
}

impl Control {
    /// Makes `count` changes, or a few more, that `seed` decides: objects and children come, change, end, go, and
    /// come again under the same id; some objects change several times at once, some parents get more children
    /// than they show, and some customers have a test clock.
    ///
    /// All of them have events. Returns what changed, in order; equal seeds on equal accounts change the same.
    pub fn stir(&self, seed: u64, count: usize) -> Result<Vec<Mutation>, SimulatorError> {
        let mut dice = Dice { seed, rolled: 0 };
        let mut done = Vec::with_capacity(count);
        // A step may find nothing to do, e.g. no subscription that could end.
        for _ in 0..count.saturating_mul(20) {
            if done.len() >= count {
                break;
            }
            let step = match dice.roll(22) {
                0..=3 => self.make(&mut dice)?,
                4..=8 => self.touch(&mut dice, 1)?,
                9 | 10 => {
                    let times = 2 + dice.roll(3);
                    self.touch(&mut dice, times)?
                }
                11..=14 => self.advance_state(&mut dice)?,
                15 | 16 => self.remove(&mut dice)?,
                17 | 18 => self.rename(&mut dice)?,
                _ => self.child(&mut dice)?,
            };
            done.extend(step);
        }
        Ok(done)
    }

    fn knows(&self, table: &str) -> bool {
        self.state.main.world().table_index(table).is_ok()
    }

    /// A living object of the table, and what it holds.
    fn any(&self, dice: &mut Dice, table: &str) -> Option<(String, Map<String, Value>)> {
        let world: &World = &self.state.main.world();
        let index = world.table_index(table).ok()?;
        let own = &world.tables[index];
        if !own.owners.is_empty() {
            return None;
        }
        let all = own.count as usize + own.added.len();
        if all == 0 {
            return None;
        }
        // Newer objects change more often than old ones.
        let place = if dice.roll(2) == 0 { dice.roll(all) } else { all - 1 - dice.roll(all.min(12)) };
        let row = match (place as u64) < own.count {
            true => place as u64,
            false => own.added.iter().nth(place - own.count as usize)?.1,
        };
        debug_assert!(row < own.count || row >= ADDED);
        world.exists(index, row).then(|| (own.id(row), (*world.stored(index, row)).clone()))
    }

    /// Like [`Self::any`], preferably one that `fits`; `None` when none is found in a few draws.
    fn any_that(
        &self,
        dice: &mut Dice,
        table: &str,
        fits: impl Fn(&Map<String, Value>) -> bool,
    ) -> Option<(String, Map<String, Value>)> {
        (0..DRAWS).find_map(|_| self.any(dice, table).filter(|(_, object)| fits(object)))
    }

    fn make(&self, dice: &mut Dice) -> Result<Vec<Mutation>, SimulatorError> {
        let table = dice.pick(&TABLES);
        if !self.knows(table) {
            return Ok(Vec::new());
        }
        let customer = self.any(dice, "customer").map(|(id, _)| Value::from(id)).unwrap_or_default();
        let fields = match table {
            "customer" if dice.roll(8) == 0 => return self.make_with_clock(dice),
            "invoice" => json!({"status": "draft", "customer": customer}),
            "subscription" => json!({"status": "active", "customer": customer}),
            "charge" => json!({"status": "succeeded", "amount_refunded": 0, "refunded": false}),
            "payment_intent" => json!({"status": "processing"}),
            "tax_id" if customer.is_null() => return Ok(Vec::new()),
            "tax_id" => json!({"customer": customer}),
            _ => json!({"metadata": {"made": dice.roll(1_000).to_string()}}),
        };
        Ok(vec![self.create(table, fields)?])
    }

    /// A customer with a test clock, which is made if there is none yet. Live mode has none.
    fn make_with_clock(&self, dice: &mut Dice) -> Result<Vec<Mutation>, SimulatorError> {
        if self.state.main.world().settings.livemode || !self.knows(CLOCKS) {
            return Ok(Vec::new());
        }
        let mut done = Vec::new();
        let clock = match self.any(dice, CLOCKS) {
            Some((id, _)) => id,
            None => {
                done.push(self.create(CLOCKS, json!({"status": "ready"}))?);
                done[0].id.clone()
            }
        };
        done.push(self.create("customer", json!({"test_clock": clock}))?);
        Ok(done)
    }

    /// Changes one object so many times.
    fn touch(&self, dice: &mut Dice, times: usize) -> Result<Vec<Mutation>, SimulatorError> {
        let table =
            dice.pick(&["customer", "product", "price", "coupon", "subscription", "invoice", "charge"]);
        let Some((id, _)) = self.any(dice, table) else { return Ok(Vec::new()) };
        (0..times)
            .map(|_| {
                let stirred = format!("{}-{}", dice.roll(1_000_000), dice.rolled);
                self.update(table, &id, json!({"metadata": {"stirred": stirred}}))
            })
            .collect()
    }

    fn advance_state(&self, dice: &mut Dice) -> Result<Vec<Mutation>, SimulatorError> {
        let table = dice.pick(&["subscription", "invoice", "invoice", "payment_intent", "charge"]);
        let goes_on = |object: &Map<String, Value>| {
            let status = object.get("status").and_then(Value::as_str).unwrap_or_default();
            !matches!(status, "canceled" | "paid" | "void" | "uncollectible")
                && (table == "charge" || status != "succeeded")
        };
        let Some((id, object)) = self.any_that(dice, table, goes_on) else { return Ok(Vec::new()) };
        let status = object.get("status").and_then(Value::as_str).unwrap_or_default();
        let next = match (table, status) {
            ("subscription", "trialing" | "incomplete") => "active",
            ("subscription", "active") => dice.pick(&["past_due", "canceled"]),
            ("subscription", "past_due" | "unpaid") => dice.pick(&["active", "canceled"]),
            ("invoice", "draft") => "open",
            ("invoice", "open") => dice.pick(&["paid", "paid", "void", "uncollectible"]),
            ("payment_intent", "processing" | "requires_payment_method" | "requires_capture") => {
                dice.pick(&["succeeded", "canceled"])
            }
            ("charge", "pending") => dice.pick(&["succeeded", "failed"]),
            ("charge", "succeeded") => {
                let refunded = object.get("amount_refunded").and_then(Value::as_i64).unwrap_or(0);
                return Ok(vec![self.update("charge", &id, json!({"amount_refunded": refunded + 1}))?]);
            }
            _ => return Ok(Vec::new()),
        };
        Ok(vec![self.update(table, &id, json!({"status": next}))?])
    }

    fn remove(&self, dice: &mut Dice) -> Result<Vec<Mutation>, SimulatorError> {
        let table = dice.pick(&MORTAL);
        // Invoices can be deleted as drafts only; the account's own tax ids have no events.
        let may = |object: &Map<String, Value>| match table {
            "invoice" => object.get("status").is_some_and(|status| status == "draft"),
            "tax_id" => object.get("customer").is_some_and(Value::is_string),
            _ => true,
        };
        let Some((id, _)) = self.any_that(dice, table, may) else { return Ok(Vec::new()) };
        let mut done = Vec::new();
        if table == "customer" {
            for tax_id in self.of_customer("tax_id", &id) {
                done.push(self.delete("tax_id", &tax_id)?);
            }
            for subscription in self.of_customer("subscription", &id) {
                done.push(self.update("subscription", &subscription, json!({"status": "canceled"}))?);
            }
        }
        done.push(self.delete(table, &id)?);
        // Subscriptions that had ended already did not change.
        done.retain(|mutation| mutation.before != mutation.after);
        Ok(done)
    }

    /// The objects that go or end with a customer.
    fn of_customer(&self, table: &str, customer: &str) -> Vec<String> {
        let world = self.state.main.world();
        let find = || {
            let (index, customers) = (world.table_index(table).ok()?, world.table_index("customer").ok()?);
            let column = world.layout(index).column("customer")?;
            let found = world.linked(index, column, world.find(customers, customer)?, customer);
            Some(found.into_iter().map(|row| world.tables[index].id(row)).collect())
        };
        find().unwrap_or_default()
    }

    /// The ids of all items in a list of a parent, also of those that it does not show.
    fn children(&self, table: &str, id: &str, property: &str) -> Vec<String> {
        let world = self.state.main.world();
        let find = || {
            let parent = world.table_index(table).ok()?;
            let row = world.find(parent, id)?;
            let mut families = world.families.iter();
            let family =
                families.position(|kin| kin.parent == parent && kin.property.as_deref() == Some(property))?;
            let child = &world.tables[world.families[family].child];
            Some(world.children(family, row).into_iter().map(|row| child.id(row)).collect())
        };
        find().unwrap_or_default()
    }

    /// Makes or removes an object whose id is chosen from a few.
    fn rename(&self, dice: &mut Dice) -> Result<Vec<Mutation>, SimulatorError> {
        let table = dice.pick(&NAMED);
        if !self.knows(table) {
            return Ok(Vec::new());
        }
        let id = format!("stirred_{table}_{}", dice.roll(NAMES as usize));
        match self.get(table, &id)? {
            Some(_) if dice.roll(3) == 0 => {
                // Gone and back within the second.
                let gone = self.delete(table, &id)?;
                Ok(vec![gone, self.create(table, json!({"id": id}))?])
            }
            Some(_) => Ok(vec![self.delete(table, &id)?]),
            None => {
                let metadata = json!({"life": dice.roll(1_000_000).to_string()});
                Ok(vec![self.create(table, json!({"id": id, "metadata": metadata}))?])
            }
        }
    }

    /// A child of a subscription, a draft or a customer comes, changes or goes.
    fn child(&self, dice: &mut Dice) -> Result<Vec<Mutation>, SimulatorError> {
        let (parent, table, property) = match dice.roll(3) {
            0 => ("subscription", "subscription_item", Some("items")),
            1 => ("invoice", "line_item", Some("lines")),
            _ => ("customer", "customer_balance_transaction", None),
        };
        let Some((id, object)) = self.any(dice, parent).filter(|_| self.knows(table)) else {
            return Ok(Vec::new());
        };
        if parent == "invoice" && object.get("status").is_none_or(|status| status != "draft") {
            return Ok(Vec::new());
        }
        let children = property.map(|property| self.children(parent, &id, property)).unwrap_or_default();
        if property.is_none() || children.is_empty() || dice.roll(3) == 0 {
            // Now and then so many at once that the parent shows a part of them only.
            let count = if property.is_some() && dice.roll(4) == 0 { 8 + dice.roll(5) } else { 1 };
            return (0..count).map(|_| self.create(table, json!({"parent": id}))).collect();
        }
        let child = children[dice.roll(children.len())].clone();
        Ok(vec![match dice.roll(2) {
            0 => self.update(table, &child, json!({"quantity": 1 + dice.roll(1_000)}))?,
            _ => self.delete(table, &child)?,
        }])
    }
}
