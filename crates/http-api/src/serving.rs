//! Answering connections until it is time to stop.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests that are under way may take to end when the server stops.
pub const GRACE: Duration = Duration::from_secs(10);

/// Answers connections until `stop`: then none are taken any more, and those that are open have `grace` to end.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    stop: CancellationToken,
    grace: Duration,
) -> io::Result<()> {
    // Whoever counts failures by address has to know it.
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, routes).with_graceful_shutdown(stop.clone().cancelled_owned());
    tokio::select! {
        served = serving.into_future() => served,
        () = async {
            stop.cancelled().await;
            tokio::time::sleep(grace).await;
        } => {
            tracing::warn!("requests did not end in time and were cut off");
            Ok(())
        }
    }
}
