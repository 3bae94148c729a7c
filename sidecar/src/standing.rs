//! What gates are told beside their policy, and stands until it is changed: brakes, verdicts, tables, rollbacks.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::audit::Audit;
use crate::brake::{self, Brakes};
use crate::config::Config;
use crate::data::DataFolder;
use crate::geo::Geo;
use crate::lists::{Lists, Wanted};
use crate::metrics::Metrics;
use crate::notices::Notices;
use crate::rollout::rollbacks::Rollbacks;
use crate::verdicts::Verdicts;

/// Everything that stands. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// While they hold, rules act as in monitor mode.
    pub brakes: Brakes,
    /// Countries and systems.
    pub geo: Geo,
    /// Lists that are fetched.
    pub lists: Lists,
    /// Who is on which list.
    pub verdicts: Verdicts,
    /// What workers took back.
    pub rollbacks: Rollbacks,
    /// What the house tells its sinks.
    pub notices: Notices,
}

impl Standing {
    /// What stood before a restart and still does. Brakes that stand in files are found too, so that a gate hears of them in
    /// its greeting. Blocks.
    #[must_use]
    pub fn open(data: &Arc<DataFolder>, config: &Config, notices: Notices, metrics: Arc<Metrics>) -> Self {
        let audit = Audit::new(Arc::clone(data)).telling(notices.clone());
        let mut places = vec![data.path().join(brake::FILE)];
        places.extend(config.policies.as_ref().map(|policies| policies.folder.join(brake::FILE)));
        let brakes = Brakes::open(Arc::clone(data), audit.clone(), places);
        brakes.look();
        let verdicts = Verdicts::open(Arc::clone(data), audit);
        Self {
            brakes,
            geo: Geo::new(config.geo.as_ref()),
            lists: Lists::new(Arc::clone(data), verdicts.clone(), config.lists.clone()),
            verdicts,
            rollbacks: Rollbacks::open(Arc::clone(data), notices.clone(), metrics),
            notices,
        }
    }

    /// Looks after files and clocks until the token is cancelled.
    #[must_use]
    pub fn run(&self, wanted: watch::Receiver<Wanted>, stop: &CancellationToken) -> Vec<JoinHandle<()>> {
        vec![
            tokio::spawn(self.brakes.clone().run(stop.clone())),
            tokio::spawn(self.geo.clone().run(stop.clone())),
            tokio::spawn(self.lists.clone().run(wanted, stop.clone())),
            tokio::spawn(self.verdicts.clone().run(stop.clone())),
        ]
    }
}
