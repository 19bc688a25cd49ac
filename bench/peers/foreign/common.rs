// What the two Rust programs share: counting, the right results, the rounds, the line that is printed. Included as a module.
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[repr(align(64))]
struct Slot(AtomicU64);

/// Counts tasks without a shared write: a slot a thread, one writer a slot. Lives for ever, so that a task holds a plain reference.
pub struct Tally {
    slots: Vec<Slot>,
    seats: AtomicUsize,
}

thread_local! {
    static SEAT: Cell<usize> = const { Cell::new(usize::MAX) };
}

impl Tally {
    pub fn new() -> &'static Tally {
        let slots = (0..64).map(|_| Slot(AtomicU64::new(0))).collect();
        Box::leak(Box::new(Tally { slots, seats: AtomicUsize::new(0) }))
    }
    pub fn add(&self, n: u64) {
        let seat = SEAT.with(|seat| {
            if seat.get() == usize::MAX {
                seat.set(self.seats.fetch_add(1, Ordering::Relaxed));
            }
            seat.get()
        });
        let slot = &self.slots[seat].0;
        slot.store(slot.load(Ordering::Relaxed) + n, Ordering::Release);
    }
    pub fn total(&self) -> u64 {
        self.slots.iter().map(|s| s.0.load(Ordering::Acquire)).sum()
    }
    /// Looks every 20 microseconds, which costs the workers less than any counter.
    pub fn wait_for(&self, total: u64) {
        while self.total() < total {
            std::thread::sleep(Duration::from_micros(20));
        }
    }
}

fn known_fib(n: u64) -> u64 {
    (0..n).fold((0, 1), |(is, next), _| (next, is + next)).0
}

/// The right result and the number of operations.
fn expected(workload: &str, n: u64) -> (u64, u64) {
    match workload {
        "submit" => (n, n),
        "fib" => (known_fib(n), known_fib(n + 1) - 1),
        "skynet" => (n * (n - 1) / 2, (10 * n - 1) / 9),
        _ => wrong_call(),
    }
}

fn wrong_call() -> ! {
    eprintln!("usage: PROGRAM submit|fib|skynet THREADS [N [ROUNDS]]");
    std::process::exit(2)
}

pub struct Call {
    pub workload: String,
    pub threads: usize,
    pub n: u64,
    rounds: usize,
}

pub fn command_line() -> Call {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, otherwise: u64| match given.get(at) {
        None => otherwise,
        Some(text) => text.parse().ok().filter(|&v| v > 0).unwrap_or_else(|| wrong_call()),
    };
    if given.len() < 2 {
        wrong_call();
    }
    let usual = if given[0] == "fib" { 30 } else { 1_000_000 };
    Call { workload: given[0].clone(), threads: number(1, 1) as usize, n: number(2, usual), rounds: number(3, 5) as usize }
}

/// `once(workload, n)` does it once and returns what it found; the first time is not counted.
pub fn report(call: &Call, backend: &str, mut once: impl FnMut(&str, u64) -> u64) {
    let (right, operations) = expected(&call.workload, call.n);
    let mut took = Vec::new();
    for round in 0..=call.rounds {
        let begin = Instant::now();
        let found = once(&call.workload, call.n);
        let wall = begin.elapsed().as_nanos() as f64;
        if found != right {
            eprintln!("wrong result");
            std::process::exit(1);
        }
        if round > 0 {
            took.push(wall);
        }
    }
    took.sort_by(f64::total_cmp);
    let median = took[took.len() / 2];
    println!(
        "{{\"workload\":\"{}\",\"backend\":\"{}\",\"threads\":{},\"n\":{},\"wall_ms\":{},\"task_ns\":{}}}",
        call.workload, backend, call.threads, call.n, median / 1e6, median / operations as f64
    );
}
