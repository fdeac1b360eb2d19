//! Pipes: made here, and taken over.

use std::io::{IoSlice, IoSliceMut};

use super::Scene;
use crate::io::{PipeReader, PipeWriter, pipe};
use crate::testing::faults::step::{Outcome, call, on_loop, step};

pub(super) const PIPE: Scene = Scene {
    name: "a pipe",
    play: || {
        on_loop(async || {
            let (reader, writer) = call("pipe", pipe)?;
            step("write_all", writer.write_all(b"four")).await?;
            let parts = [IoSlice::new(b"an"), IoSlice::new(b"d")];
            assert_eq!(
                step("write_vectored", writer.write_vectored(&parts)).await?,
                3
            );
            let mut buf = [0; 4];
            step("read_exact", reader.read_exact(&mut buf)).await?;
            let (mut one, mut two) = ([0; 1], [0; 2]);
            let mut rooms = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
            assert_eq!(
                step("read_vectored", reader.read_vectored(&mut rooms)).await?,
                3
            );
            drop(writer);
            assert_eq!(step("read", reader.read(&mut buf)).await?, 0);
            Ok(())
        })
    },
    rules: &[],
};

pub(super) const ADOPTED: Scene = Scene {
    name: "a pipe that is taken over and given back",
    play: || on_loop(adopted),
    rules: &[],
};

async fn adopted() -> Outcome {
    let (reader, writer) = std::io::pipe().expect("two descriptors are free");
    let reader = call("take the reader", || PipeReader::from_fd(reader))?;
    let writer = call("take the writer", || PipeWriter::from_fd(writer))?;
    let data = vec![b'x'; 200_000];
    let send = async {
        step("write_all", writer.write_all(&data)).await?;
        call("give back", || writer.into_blocking_fd()).map(drop)
    };
    let receive = async {
        let mut all = Vec::new();
        step("read_to_end", reader.read_to_end(&mut all)).await?;
        assert!(all == data);
        Ok(())
    };
    crate::combinators::try_gather_tuple((send, receive))
        .await
        .map(drop)
}
