//! [`Pool`]: a few connections for many tasks.
//!
//! A semaphore counts the places, a vector keeps the clients that rest. Whoever takes a client
//! looks whether it is still connected, so that after a restart of the server the next user
//! connects again.
//!
//! A user that is cancelled has left something behind, and nobody can know what: a query that
//! runs, an open transaction. So the server is asked to cancel what it does there, and the
//! connection is thrown away, which rolls back. All others give theirs back.
//!
//! The parts are those of [`petla::sync`] although one loop needs no more than `local`: a web
//! framework wants whatever its handlers share to be `Send + Sync`.
//!
//! # Not here
//! A check of idle connections, a limit of their age. What a user sets for its session stays set;
//! so does a transaction that it has begun other than by `Client::transaction`. A query that `work`
//! drops, by a `timeout` inside, runs on, and the next user waits for it: put the `timeout` around
//! [`Pool::run`].

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use petla::CancelScope;
use petla::sync::Semaphore;
use tokio_postgres::{Client, Config};

use crate::connect::{cancel, connect};

/// See the module.
pub struct Pool {
    config: Config,
    places: Semaphore,
    idle: Mutex<Vec<Client>>,
}

impl Pool {
    /// At most `size` connections, each made when it is needed first.
    pub fn new(config: Config, size: usize) -> Pool {
        Pool {
            config,
            places: Semaphore::new(size),
            idle: Mutex::default(),
        }
    }

    /// Awaits a connection, and lends it to `work`.
    ///
    /// # Errors
    /// Those of `work`, and of [`connect`].
    ///
    /// # Cancel safety
    /// Dropped while it works, it asks the server to cancel the query, and rolls back.
    pub async fn run<T>(&self, work: impl AsyncFnOnce(&mut Client) -> Result<T>) -> Result<T> {
        let _place = self.places.acquire().await;
        let idle = self.idle().pop(); // a statement of its own: the lock is not kept
        let mut client = match idle {
            Some(client) => client,
            None => connect(&self.config).await?,
        };
        let (config, token) = (self.config.clone(), client.cancel_token());
        let done = CancelScope::new().run(async |scope| {
            scope.on_cancel_static(async move {
                if let Err(error) = cancel(&config, token).await {
                    eprintln!("a query may run on: {error:#}");
                }
            });
            let result = work(&mut client).await;
            // After an error it may be lost: the server's last word comes before its end.
            let is_sound = result.is_ok() || client.check_connection().await.is_ok();
            if is_sound {
                self.idle().push(client);
            }
            result
        });
        done.await?
    }

    /// How many connections rest.
    pub fn resting(&self) -> usize {
        self.idle().len()
    }

    /// The clients that rest and, as far as is known, are still connected.
    fn idle(&self) -> MutexGuard<'_, Vec<Client>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|client| !client.is_closed());
        idle
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("places", &self.places)
            .field("resting", &self.resting())
            .finish_non_exhaustive()
    }
}
