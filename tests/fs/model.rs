//! Random programs on a file against a vector of bytes and a cursor, calls given up among them.

use std::io::{ErrorKind, SeekFrom};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use petla::fs::File;

use super::Folder;
use crate::common::within_io;

/// A small generator: the same seed, the same program.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % limit
    }
}

/// Awaits a future, or polls it once and gives it up.
async fn maybe<F: Future>(random: &mut Random, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    if random.below(3) > 0 {
        return Some(future.await);
    }
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// What the file should be.
#[derive(Default)]
struct Model {
    bytes: Vec<u8>,
    cursor: usize,
}

impl Model {
    fn left(&self) -> &[u8] {
        self.bytes.get(self.cursor..).unwrap_or_default()
    }

    fn write(&mut self, data: &[u8]) {
        let end = self.cursor + data.len();
        if self.bytes.len() < end && !data.is_empty() {
            self.bytes.resize(end, 0);
        }
        if !data.is_empty() {
            self.bytes[self.cursor..end].copy_from_slice(data);
        }
        self.cursor = end;
    }
}

async fn step(random: &mut Random, file: &mut File, model: &mut Model) -> std::io::Result<()> {
    let size = match random.below(10) {
        0 => random.below(400_000),
        1 => 0,
        _ => random.below(3_000),
    };
    match random.below(8) {
        0 | 1 => {
            let mut buf = vec![0; size];
            if let Some(n) = maybe(random, file.read(&mut buf)).await.transpose()? {
                assert_eq!(buf[..n], model.left()[..n]);
                assert!(n > 0 || size == 0 || model.left().is_empty());
                model.cursor += n;
            }
        }
        2 => {
            let mut buf = vec![0; size];
            match maybe(random, file.read_exact(&mut buf)).await {
                None => {}
                Some(Ok(())) => {
                    assert_eq!(buf, model.left()[..size]);
                    model.cursor += size;
                }
                Some(Err(error)) => {
                    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
                    assert!(model.left().len() < size);
                }
            }
        }
        3 | 4 => {
            let data = vec![random.below(256) as u8; size];
            if let Some(n) = maybe(random, file.write(&data)).await.transpose()? {
                model.write(&data[..n]);
            }
        }
        5 => {
            let to = random.below(model.bytes.len() + 1_000);
            assert_eq!(file.seek(SeekFrom::Start(to as u64)).await?, to as u64);
            model.cursor = to;
        }
        6 => drop(maybe(random, file.flush()).await.transpose()?),
        _ => {
            let here = file.seek(SeekFrom::Current(0)).await?;
            assert_eq!(here, model.cursor as u64);
            let size = file.metadata().await?.len();
            assert_eq!(size, model.bytes.len() as u64);
        }
    }
    Ok(())
}

#[test]
fn a_file_is_what_a_vector_would_be_also_when_calls_are_given_up() {
    for seed in 1..=25 {
        within_io(async {
            let folder = Folder::new();
            let path = folder.file("");
            let mut file = File::options().read(true).write(true).open(&path).await?;
            let (mut random, mut model) = (Random(seed * 7_919), Model::default());
            for _ in 0..120 {
                step(&mut random, &mut file, &mut model).await?;
            }
            file.close().await?;
            assert!(std::fs::read(&path)? == model.bytes, "seed {seed}");
            Ok(())
        });
    }
}
