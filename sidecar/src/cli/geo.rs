//! The table of countries and systems, for verbs that judge.

use std::path::PathBuf;
use std::rc::Rc;

use clap::Args;
use gatehouse::geo;
use gatehouse::policies::Problem;
use gatehouse_signals::geo::Table;

#[derive(Args)]
pub(super) struct Geo {
    /// Database of countries or autonomous systems, MMDB or CSV; may be given several times
    #[arg(long = "geo", value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Geo {
    /// The table of the files; `None`: none was given.
    pub(super) fn table(&self) -> Result<Option<Rc<Table>>, Vec<Problem>> {
        if self.files.is_empty() {
            return Ok(None);
        }
        let problem = |problem: geo::Problem| Problem {
            place: problem.file.display().to_string(),
            message: problem.problem,
            help: String::new(),
        };
        let table =
            geo::table(&self.files).map_err(|problems| problems.into_iter().map(problem).collect::<Vec<_>>())?;
        Ok(Some(Rc::new(table)))
    }
}
