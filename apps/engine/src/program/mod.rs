//! What programs that hold an engine share: its connectors as the environment configures them, an engine elsewhere by flags,
//! requests to routes in the same process, and what is said of failures.

mod calling;
mod elsewhere;
mod failing;
mod registry;
mod search;
mod serving;
mod transport;

pub use calling::{call, called};
pub use elsewhere::{Elsewhere, EngineArgs, STOPPING, secret};
pub use failing::DENIED;
pub use registry::{Connected, built_in, connect, requests};
pub use search::{ProgramArgs, search};
pub use serving::{bind, build, port, resolve, resolve_pair};
pub use transport::{answer, lines_of_stdin, sent};
