//! Nanoseconds of every operation: `cargo bench -p gatehouse-bench`. A busy machine only adds; compare runs side by side, and
//! instruction counts (`make instructions`) before either.

use std::time::Duration;

use criterion::Criterion;
use gatehouse_bench::{OPERATIONS, operations};

fn main() -> std::io::Result<()> {
    operations::prepare()?;
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
        .configure_from_args();
    for operation in OPERATIONS {
        let mut call = (operation.prepare)()?;
        criterion.bench_function(operation.name, |bencher| bencher.iter(&mut call));
    }
    criterion.final_summary();
    Ok(())
}
