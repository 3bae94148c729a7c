//! What an operator supplies beside the documents, for verbs that judge as a house would.

use std::path::PathBuf;
use std::rc::Rc;

use clap::Args;
use gatehouse::geo;
use gatehouse::loaded::Supplied;
use gatehouse::policies::Problem;

#[derive(Args)]
pub(super) struct Supplies {
    /// Database of countries or autonomous systems, MMDB or CSV; may be given several times
    #[arg(long, value_name = "FILE")]
    geo: Vec<PathBuf>,
    #[command(flatten)]
    ranges: Ranges,
}

#[derive(Args)]
pub(super) struct Ranges {
    /// Folder of the published address ranges that packs prove automata by, as the house has it
    #[arg(long, value_name = "DIR")]
    ranges: Option<PathBuf>,
}

impl Supplies {
    /// The folder of ranges, and the table of the files; everything that is wrong with either.
    pub(super) fn read(&self) -> Result<Supplied, Vec<Problem>> {
        let (ranges, geo) = (self.ranges.folder(), self.table());
        match (ranges, geo) {
            (Ok(ranges), Ok(geo)) => Ok(Supplied { ranges, geo }),
            (ranges, geo) => Err([ranges.err().unwrap_or_default(), geo.err().unwrap_or_default()].concat()),
        }
    }

    fn table(&self) -> Result<Option<Rc<gatehouse_signals::geo::Table>>, Vec<Problem>> {
        if self.geo.is_empty() {
            return Ok(None);
        }
        let problem = |problem: geo::Problem| Problem {
            place: problem.file.display().to_string(),
            message: problem.problem,
            help: String::new(),
        };
        let table = geo::table(&self.geo).map_err(|problems| problems.into_iter().map(problem).collect::<Vec<_>>())?;
        Ok(Some(Rc::new(table)))
    }
}

impl Ranges {
    /// The folder, if one is given.
    pub(super) fn folder(&self) -> Result<Option<PathBuf>, Vec<Problem>> {
        match &self.ranges {
            // A house tells of it and goes on; here it is most often misspelt.
            Some(folder) if !folder.is_dir() => Err(vec![Problem {
                place: folder.display().to_string(),
                message: "is no folder".into(),
                help: "give the one that holds files such as `googlebot.json`".into(),
            }]),
            folder => Ok(folder.clone()),
        }
    }
}
