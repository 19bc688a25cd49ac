// tokio's multi-threaded runtime on three workloads: see ../README.md.
// `submit`: Handle::spawn from a thread that is no worker, the handle dropped. `fib`: one branch spawned, the other awaited where it is.
// `skynet`: ten children spawned, then awaited. Recursive futures have to be boxed. All of it is spawned, so that workers run it.
#[path = "../common.rs"]
mod common;

use std::future::Future;
use std::pin::Pin;

type Answer = Pin<Box<dyn Future<Output = u64> + Send>>;

fn submit(runtime: &tokio::runtime::Runtime, to: &'static common::Tally, n: u64) -> u64 {
    let before = to.total();
    let weight = 1u64;
    for _ in 0..n {
        drop(runtime.spawn(async move { to.add(weight) }));
    }
    to.wait_for(before + n);
    to.total() - before
}

fn fib(n: u64) -> Answer {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let other = tokio::spawn(fib(n - 1));
        let mine = fib(n - 2).await;
        mine + other.await.unwrap()
    })
}

fn skynet(first: u64, leaves: u64) -> Answer {
    Box::pin(async move {
        if leaves == 1 {
            return first;
        }
        let children: Vec<_> = (0..10).map(|i| tokio::spawn(skynet(first + i * leaves / 10, leaves / 10))).collect();
        let mut sum = 0;
        for child in children {
            sum += child.await.unwrap();
        }
        sum
    })
}

fn main() {
    let call = common::command_line();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(call.threads).build().unwrap();
    let to = common::Tally::new();
    common::report(&call, "tokio", |workload, n| match workload {
        "submit" => submit(&runtime, to, n),
        "fib" => runtime.block_on(async { tokio::spawn(fib(n)).await.unwrap() }),
        _ => runtime.block_on(async { tokio::spawn(skynet(0, n)).await.unwrap() }),
    });
}
