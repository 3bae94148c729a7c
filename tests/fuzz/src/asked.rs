//! A request put to the engine the way the gate does it, for every target that judges. The only file that knows how.

use gatehouse_engine::{
    Claims, Fields, Head, Judged, NoSlots, Now, Policy, Request, ResponseHead, Settings, State, TraceStep, answered,
    explain, judge, respond,
};

/// Where the clock of every run begins.
const BEGIN: u64 = 1 << 50;

/// One worker and its clock.
pub struct Worker {
    state: State,
    now: Now,
}

impl Default for Worker {
    fn default() -> Self {
        Self { state: State::new([3; 16], &[7; 16]), now: Now { mono_ns: BEGIN, wall_s: Some(1_800_000_000) } }
    }
}

impl Worker {
    /// Time goes by.
    pub fn wait(&mut self, seconds: u64) {
        self.now.mono_ns += seconds * 1_000_000_000;
        self.now.wall_s = self.now.wall_s.map(|wall| wall + seconds);
    }

    /// Judges, as the gate does.
    pub fn judge(&mut self, policy: &Policy, head: Head<'_>) -> Judged {
        judge(Some(policy), &Settings::default(), self.request(head), &mut self.state, &NoSlots)
    }

    /// Judges, and tells the way to the verdict.
    pub fn explain(&mut self, policy: &Policy, head: Head<'_>) -> (Judged, Vec<TraceStep>) {
        let (judged, trace) =
            explain(Some(policy), &Settings::default(), self.request(head), &mut self.state, &NoSlots);
        (judged, trace.steps)
    }

    /// The application answers with this status and these headers, or (0) not at all.
    pub fn answer(
        &mut self,
        policy: &Policy,
        head: Head<'_>,
        judged: &mut Judged,
        status: u16,
        headers: &[(&[u8], &[u8])],
    ) {
        if status == 0 {
            return answered(Some(policy), judged, None, &mut self.state, &NoSlots, self.now.mono_ns);
        }
        answered(Some(policy), judged, Some(status), &mut self.state, &NoSlots, self.now.mono_ns);
        if judged.responds() {
            let answer = respond(policy, self.request(head), ResponseHead { status, headers }, judged, &mut self.state);
            if let gatehouse_engine::Answer::Replace(reply) = answer {
                crate::answers::well_formed(&reply);
            }
        }
    }

    fn request<'a>(&self, head: Head<'a>) -> Request<'a> {
        let claims: &'static [(&[u8], &[u8])] = &[(b"sub", b"alice"), (b"role", b"admin")];
        Request { head, claims: Claims::Known(claims), known: Fields::ALL, now: self.now }
    }
}
