//! [`TaskGroup::start`]: a child that says when it is ready.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::panic::Location;

use super::{Outcome, TaskGroup};
use crate::error::unit_error;
use crate::local::{Setter, oneshot};

unit_error!(
    /// The child ended without calling [`Ready::set`].
    NotReady, Other, "the task ended before it said that it was ready"
);

/// Given to a child of [`TaskGroup::start`], to say that it is ready.
pub struct Ready<V>(Setter<V>);

impl<V> Ready<V> {
    /// It is ready, with a value for whoever waits: the address that it listens on, say.
    ///
    /// If nobody waits any more the value is dropped: then the child is being cancelled.
    pub fn set(self, value: V) {
        drop(self.0.set(value));
    }
}

impl<V> Debug for Ready<V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Ready")
    }
}

impl<'env, E> TaskGroup<'env, E> {
    /// Spawns a child and waits until it says that it is ready; gives what it says.
    ///
    /// The child goes on in the group after that.
    ///
    /// # Errors
    /// [`NotReady`] if the child ended before. Its error or panic is the group's.
    ///
    /// # Panics
    /// As [`spawn`](TaskGroup::spawn).
    ///
    /// # Cancel safety
    /// **Strict**: a child that has not said it is cancelled with the wait.
    ///
    /// # asyncio
    /// None; trio's `nursery.start`.
    ///
    /// ```
    /// use petla::{TaskGroup, net::TcpListener, net::TcpStream};
    ///
    /// petla::run(async {
    ///     TaskGroup::run(async |g| {
    ///         let address = g.start(async |ready| {
    ///             let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///             ready.set(listener.local_addr()?);
    ///             listener.accept().await?;
    ///             std::io::Result::Ok(())
    ///         });
    ///         TcpStream::connect(address.await?).await?;
    ///         Ok(())
    ///     }).await
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn start<V, F, R>(
        &self,
        child: F,
    ) -> impl Future<Output = Result<V, NotReady>> + use<'env, E, V, F, R>
    where
        F: AsyncFnOnce(Ready<V>) -> R + 'env,
        R: Outcome<E>,
        V: 'env,
    {
        let (setter, getter) = oneshot();
        let child = async move { child(Ready(setter)).await };
        let task = self.spawn_at(child, Location::caller()).cancel_on_drop();
        async move {
            let ready = getter.await;
            task.let_go();
            ready.map_err(|_| NotReady)
        }
    }
}
