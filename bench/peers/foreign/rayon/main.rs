// rayon on three workloads: see ../README.md.
// `submit`: ThreadPool::spawn from a thread that is no worker. `fib`, `skynet`: join inside the pool; a node's ten children are
// a tree of joins, so that each is a branch of its own, as parallel iterators would not have it.
#[path = "../common.rs"]
mod common;

fn submit(pool: &rayon::ThreadPool, to: &'static common::Tally, n: u64) -> u64 {
    let before = to.total();
    let weight = 1u64;
    for _ in 0..n {
        pool.spawn(move || to.add(weight));
    }
    to.wait_for(before + n);
    to.total() - before
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = rayon::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

fn children(first: u64, each: u64, count: u64) -> u64 {
    if count == 1 {
        return skynet(first, each);
    }
    let half = count / 2;
    let (a, b) = rayon::join(|| children(first, each, half), || children(first + half * each, each, count - half));
    a + b
}

fn skynet(first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return first;
    }
    children(first, leaves / 10, 10)
}

fn main() {
    let call = common::command_line();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(call.threads).build().unwrap();
    let to = common::Tally::new();
    common::report(&call, "rayon", |workload, n| match workload {
        "submit" => submit(&pool, to, n),
        "fib" => pool.install(|| fib(n)),
        _ => pool.install(|| skynet(0, n)),
    });
}
