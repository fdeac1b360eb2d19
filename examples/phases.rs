//! A computation in phases: nobody begins the next before all are done with this one.
//!
//! ```text
//! $ cargo run --release --example phases
//! phase 1: 8 parts, the last was part 7
//! ...
//! heat is conserved: 800.0
//! ```
//!
//! Heat flows along a ring of cells. In each phase every part reads its neighbours' cells, then
//! all meet at a `Barrier`, then every part writes its own, and all meet again. The last one to
//! arrive is told so by its index, and speaks for all.

use petla::{JoinError, local::Barrier, sleep, spawn};
use std::{cell::RefCell, rc::Rc, time::Duration};

const PARTS: usize = 8;
const PHASES: usize = 3;

struct Ring {
    cells: RefCell<[f64; PARTS]>,
    barrier: Barrier,
}

async fn part(ring: Rc<Ring>, number: usize) {
    for phase in 1..=PHASES {
        let next = {
            let cells = ring.cells.borrow();
            let (left, right) = ((number + PARTS - 1) % PARTS, (number + 1) % PARTS);
            cells[number] / 2.0 + (cells[left] + cells[right]) / 4.0
        };
        // Some take longer.
        sleep(Duration::from_millis((number * phase % 5) as u64)).await;
        ring.barrier.wait().await.expect("nobody aborts it");
        ring.cells.borrow_mut()[number] = next;
        let index = ring.barrier.wait().await.expect("nobody aborts it");
        if index == PARTS - 1 {
            println!("phase {phase}: {PARTS} parts, the last was part {number}");
        }
    }
}

async fn run() -> Result<(), JoinError> {
    let mut cells = [0.0; PARTS];
    cells[0] = 800.0;
    let ring = Rc::new(Ring {
        cells: RefCell::new(cells),
        barrier: Barrier::new(PARTS),
    });
    let parts: Vec<_> = (0..PARTS)
        .map(|number| spawn(part(ring.clone(), number)))
        .collect();
    for part in parts {
        part.await?;
    }
    let heat: f64 = ring.cells.borrow().iter().sum();
    println!("heat is conserved: {heat:.1}");
    assert!((heat - 800.0).abs() < 1e-9);
    Ok(())
}

fn main() -> Result<(), JoinError> {
    petla::run(run())
}
