//! Two producers and one consumer: what waiting side by side gains over waiting in turn.
//!
//! ```text
//! $ cargo run --release --example producer_consumer
//!  -- generated a1
//!  -- generated b1
//!  +++ processed a1 after 0.00 s
//!  ...
//! with a loop:     5.0 s for 10 items; an item waited 0.57 s at most
//! without a loop: 14.9 s, the sum of the same pauses (--sync runs it)
//! the loop is 3.0 times as fast
//! ```
//!
//! A pause of 0.5-1.5 s follows each generated item, one of 0.5 s each processed one: the time that
//! a real program spends waiting for networks and disks. The pauses look random but are the same
//! in every run, so that both ways of doing the work can be compared.
//!
//! Options: `--count N` items a producer (5), `--quiet` prints the results alone, `--sync` runs the
//! same work without a loop beside it.

use petla::{JoinError, local::Queue, sleep, spawn};
use std::{env, error::Error, io::IsTerminal, rc::Rc, thread, time::Duration, time::Instant};

const PRODUCERS: [char; 2] = ['a', 'b'];
const PROCESSING: Duration = Duration::from_millis(500);
const YELLOW: u8 = 33;
const CYAN: u8 = 36;

/// Its name, and when it was generated.
type Item = (String, Instant);

#[derive(Clone, Copy, Default)]
struct Options {
    count: u64,
    quiet: bool,
    sync: bool,
}

impl Options {
    fn parse() -> Result<Options, Box<dyn Error>> {
        let (mut options, mut arguments) = (Options::default(), env::args().skip(1));
        options.count = 5;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--count" => {
                    let count = arguments.next().and_then(|count| count.parse().ok());
                    options.count = count.ok_or("--count wants a number")?;
                }
                "--quiet" => options.quiet = true,
                "--sync" => options.sync = true,
                other => return Err(format!("unknown option {other}").into()),
            }
        }
        Ok(options)
    }

    fn say(self, color: u8, line: &str) {
        match std::io::stdout().is_terminal() {
            _ if self.quiet => {}
            true => println!("\x1b[{color}m{line}\x1b[0m"),
            false => println!("{line}"),
        }
    }

    fn generate(self, producer: char, number: u64) -> Item {
        self.say(YELLOW, &format!(" -- generated {producer}{number}"));
        (format!("{producer}{number}"), Instant::now())
    }

    /// How long the item had to wait.
    fn process(self, (name, generated): Item) -> Duration {
        let waited = generated.elapsed();
        let seconds = waited.as_secs_f64();
        self.say(CYAN, &format!(" +++ processed {name} after {seconds:.2} s"));
        waited
    }

    /// Says what one way of doing the work took; returns the seconds.
    fn report(self, way: &str, start: Instant, longest: Duration) -> f64 {
        let (total, longest) = (start.elapsed().as_secs_f64(), longest.as_secs_f64());
        let items = self.count * PRODUCERS.len() as u64;
        println!("{way:15} {total:4.1} s for {items} items; an item waited {longest:.2} s at most");
        total
    }
}

/// The pause after an item: 0.5-1.5 s, by a hash of whose and which it is.
fn pause(producer: char, number: u64) -> Duration {
    let key = (number << 8) | u64::from(producer);
    let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32; // 2^64 by the golden ratio
    Duration::from_millis(500 + hash % 1_000)
}

async fn generate_data(producer: char, queue: Rc<Queue<Item>>, options: Options) {
    for number in 1..=options.count {
        let item = options.generate(producer, number);
        queue
            .put(item)
            .await
            .expect("it is shut down after the producers");
        sleep(pause(producer, number)).await;
    }
}

/// The longest wait of an item.
async fn process_data(queue: Rc<Queue<Item>>, options: Options) -> Duration {
    let mut longest = Duration::ZERO;
    while let Ok(item) = queue.get().await {
        longest = longest.max(options.process(item));
        sleep(PROCESSING).await;
    }
    longest
}

async fn with_a_loop(options: Options) -> Result<Duration, JoinError> {
    let queue = Rc::new(Queue::bounded(10));
    let producers = PRODUCERS.map(|name| spawn(generate_data(name, queue.clone(), options)));
    let consumer = spawn(process_data(queue.clone(), options));
    for producer in producers {
        producer.await?;
    }
    queue.shutdown(false);
    consumer.await
}

fn without_a_loop(options: Options) -> Duration {
    let (mut items, mut longest) = (Vec::new(), Duration::ZERO);
    for (producer, number) in numbers(options) {
        items.push(options.generate(producer, number));
        thread::sleep(pause(producer, number));
    }
    for item in items {
        longest = longest.max(options.process(item));
        thread::sleep(PROCESSING);
    }
    longest
}

/// Every producer with each of its numbers, one producer after the other.
fn numbers(options: Options) -> impl Iterator<Item = (char, u64)> {
    let of_one = move |producer| (1..=options.count).map(move |number| (producer, number));
    PRODUCERS.into_iter().flat_map(of_one)
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse()?;
    let start = Instant::now();
    let longest = petla::run(with_a_loop(options))?;
    let looped = options.report("with a loop:", start, longest);
    let plain = if options.sync {
        let start = Instant::now();
        let longest = without_a_loop(options);
        options.report("without a loop:", start, longest)
    } else {
        let pauses = numbers(options).map(|(name, number)| pause(name, number) + PROCESSING);
        let seconds = pauses.sum::<Duration>().as_secs_f64();
        println!("without a loop: {seconds:4.1} s, the sum of the same pauses (--sync runs it)");
        seconds
    };
    println!("the loop is {:.1} times as fast", plain / looped);
    Ok(())
}
