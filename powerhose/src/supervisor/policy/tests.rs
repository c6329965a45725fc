use proptest::prelude::*;

use super::*;
use crate::supervisor::snapshot::ProcessState;

const CRASH: ExitCause = ExitCause::Code(1);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn rules() -> Rules {
    Rules {
        backoff: Backoff {
            initial: ms(100),
            max: ms(1_000),
        },
        stable_after: ms(1_000),
        start_retries: Some(3),
        grace: ms(500),
    }
}

/// A process of the simulated system.
#[derive(Clone, Copy)]
struct Process {
    pid: u32,
    told: bool,
}

/// A system that does what the policy wants, in virtual time, and objects to what it must never
/// want.
struct World {
    policy: Policy,
    now: Time,
    processes: BTreeMap<usize, Process>,
    next_pid: u32,
    /// Whether programs can be started.
    startable: bool,
    /// Whether processes end when they are told to.
    obedient: bool,
    count: usize,
    stopping: bool,
    /// No start before this time at that place.
    not_before: BTreeMap<usize, Time>,
    reports: Vec<ProcessExit>,
}

impl World {
    fn new(rules: Rules, seed: u64) -> Self {
        Self {
            policy: Policy::new(rules, seed),
            now: Time::ZERO,
            processes: BTreeMap::new(),
            next_pid: 100,
            startable: true,
            obedient: true,
            count: 0,
            stopping: false,
            not_before: BTreeMap::new(),
            reports: Vec::new(),
        }
    }

    fn with_count(count: usize) -> Self {
        let mut world = Self::new(rules(), 7);
        world.set_count(count);
        world
    }

    fn handle(&mut self, event: Event) {
        self.policy.handle(event, self.now);
        while let Some(action) = self.policy.poll_action() {
            match action {
                Action::Spawn { place } => self.spawn(place),
                Action::Terminate { place } => {
                    self.processes
                        .get_mut(&place)
                        .expect("told a process that is")
                        .told = true;
                    if self.obedient {
                        self.end(place, ExitCause::Code(0));
                    }
                }
                Action::Kill { place } => {
                    assert!(self.processes[&place].told, "killed without a grace");
                    self.end(
                        place,
                        ExitCause::Signal {
                            signal: 9,
                            core_dumped: false,
                        },
                    );
                }
                Action::Report(exit) => self.record(exit),
            }
        }
        self.check();
    }

    fn spawn(&mut self, place: usize) {
        assert!(!self.stopping, "spawned after the stop");
        assert!(
            !self.processes.contains_key(&place),
            "two processes at place {place}"
        );
        let earliest = self.not_before.remove(&place).unwrap_or(Time::ZERO);
        assert!(
            self.now >= earliest,
            "spawned at {:?}, not after {earliest:?}",
            self.now
        );
        if self.startable {
            let pid = self.next_pid;
            self.next_pid += 1;
            self.processes.insert(place, Process { pid, told: false });
            self.policy.handle(Event::Started { place, pid }, self.now);
        } else {
            let cause = ExitCause::NotStarted {
                kind: std::io::ErrorKind::NotFound,
                os_error: None,
            };
            self.policy
                .handle(Event::NotStarted { place, cause }, self.now);
        }
    }

    fn record(&mut self, exit: ProcessExit) {
        match exit.next {
            AfterExit::Restart { after } if exit.requested => assert_eq!(after, Duration::ZERO),
            AfterExit::Restart { after } => {
                assert!(
                    ms(50) <= after && after <= ms(1_000),
                    "backoff of {after:?}"
                );
                self.not_before.insert(exit.place, self.now + after);
            }
            AfterExit::GaveUp => assert!(!exit.requested),
            AfterExit::Removed => {}
        }
        self.reports.push(exit);
    }

    fn end(&mut self, place: usize, cause: ExitCause) {
        if self.processes.remove(&place).is_some() {
            self.policy.handle(Event::Exited { place, cause }, self.now);
        }
    }

    /// The process at this place ends by itself.
    fn crash(&mut self, place: usize) {
        self.end(place, CRASH);
        self.handle(Event::Tick);
    }

    fn set_count(&mut self, count: usize) {
        if !self.stopping {
            self.count = count;
            self.not_before.retain(|&place, _| place < count);
        }
        self.handle(Event::SetCount(count));
    }

    fn restart(&mut self, place: usize) {
        self.not_before.remove(&place);
        self.handle(Event::Restart { place });
    }

    fn stop(&mut self, grace: Duration) {
        self.stopping = true;
        self.count = 0;
        self.handle(Event::Stop { grace });
    }

    /// Lets this much time pass, from one deadline to the next.
    fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut ticks = 0;
        while let Some(deadline) = self.policy.next_deadline().filter(|&at| at <= end) {
            if self.policy.is_finished(self.now) {
                break;
            }
            // A kill and the start that follows an end may fall together, no more.
            ticks = if deadline > self.now { 0 } else { ticks + 1 };
            assert!(ticks <= 2, "spins at {deadline:?}");
            self.now = self.now.max(deadline);
            self.handle(Event::Tick);
        }
        self.now = end;
    }

    fn check(&self) {
        let told = self
            .processes
            .values()
            .filter(|process| process.told)
            .count();
        let live = self.processes.len();
        assert!(
            live <= self.count + told,
            "{live} processes, {} wanted, {told} told",
            self.count
        );
        let places = self.policy.snapshot();
        let known = places
            .iter()
            .filter_map(|place| Some((place.place, place.pid?)));
        let real = self
            .processes
            .iter()
            .map(|(&place, process)| (place, process.pid));
        assert!(known.eq(real), "the policy has lost sight of a process");
    }

    fn state(&self, place: usize) -> Option<ProcessState> {
        self.policy
            .snapshot()
            .iter()
            .find(|it| it.place == place)
            .map(|it| it.state)
    }
}

#[test]
fn a_group_is_filled_at_once_and_needs_no_timer() {
    let world = World::with_count(3);
    assert_eq!(world.processes.len(), 3);
    assert_eq!(world.policy.next_deadline(), None);
}

#[test]
fn a_crashed_process_is_replaced_after_the_backoff() {
    let mut world = World::with_count(2);
    let first = world.processes[&1].pid;
    world.advance(ms(5_000));
    world.crash(1);
    assert_eq!(world.state(1), Some(ProcessState::BackingOff));
    world.advance(ms(100));
    assert_ne!(world.processes[&1].pid, first);
    let snapshot = world.policy.snapshot()[1];
    assert_eq!((snapshot.restarts, snapshot.last_exit), (1, Some(CRASH)));
    assert_eq!(world.reports[0].ran_for, ms(5_000));
}

#[test]
fn a_process_that_dies_at_start_is_given_up_after_its_retries() {
    let mut world = World::with_count(2);
    for _ in 0..3 {
        world.crash(0);
        assert_eq!(world.state(0), Some(ProcessState::BackingOff));
        world.advance(ms(400));
        assert_eq!(world.state(0), Some(ProcessState::Running));
    }
    world.crash(0);
    assert_eq!(world.state(0), Some(ProcessState::GaveUp));
    assert_eq!(
        world.reports.last().map(|exit| exit.next),
        Some(AfterExit::GaveUp)
    );
    world.advance(ms(1_000_000));
    assert_eq!(world.processes.keys().copied().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_process_that_ran_long_enough_gets_its_retries_back() {
    let mut world = World::with_count(1);
    for _ in 0..20 {
        world.crash(0);
        world.advance(ms(400));
        world.crash(0);
        world.advance(ms(400) + ms(1_000));
        assert_eq!(world.state(0), Some(ProcessState::Running));
    }
}

#[test]
fn a_program_that_cannot_be_started_is_given_up_too() {
    let mut world = World::with_count(1);
    world.startable = false;
    world.crash(0);
    world.advance(ms(10_000));
    assert_eq!(world.state(0), Some(ProcessState::GaveUp));
    assert_eq!(world.reports.len(), 1 + 3);
    world.startable = true;
    world.restart(0);
    assert_eq!(world.state(0), Some(ProcessState::Running));
}

#[test]
fn without_a_limit_nothing_is_given_up() {
    let mut world = World::new(
        Rules {
            start_retries: None,
            ..rules()
        },
        7,
    );
    world.set_count(1);
    for _ in 0..1_000 {
        world.crash(0);
        world.advance(ms(1_000));
    }
    assert_eq!(world.state(0), Some(ProcessState::Running));
}

#[test]
fn a_restart_stops_first_and_starts_then() {
    let mut world = World::with_count(1);
    world.obedient = false;
    world.restart(0);
    assert_eq!(world.state(0), Some(ProcessState::Stopping));
    world.advance(ms(499));
    assert_eq!(world.processes[&0].pid, 100);
    world.advance(ms(1));
    assert_eq!(world.processes[&0].pid, 101);
}

#[test]
fn a_place_that_is_wanted_again_waits_for_its_stopping_process() {
    let mut world = World::with_count(2);
    world.obedient = false;
    world.set_count(1);
    world.set_count(2);
    assert_eq!(world.state(1), Some(ProcessState::Stopping));
    world.crash(1);
    assert_eq!(world.state(1), Some(ProcessState::Running));
}

#[test]
fn a_stop_kills_after_the_grace_and_says_so() {
    let mut world = World::with_count(3);
    world.obedient = false;
    world.stop(ms(2_000));
    world.crash(1);
    world.advance(ms(1_999));
    assert_eq!(world.processes.len(), 2);
    world.advance(ms(1));
    assert!(world.policy.is_finished(world.now));
    assert_eq!(
        world.policy.report(),
        StopReport {
            stopped: 1,
            killed: 2,
            left: vec![]
        }
    );
}

#[test]
fn a_stop_shortens_the_grace_of_those_that_stop_already() {
    let mut world = World::with_count(2);
    world.obedient = false;
    world.set_count(1);
    world.stop(ms(10));
    world.advance(ms(10));
    assert!(world.policy.is_finished(world.now));
}

#[test]
fn a_process_that_survives_its_killing_is_left_behind() {
    let mut policy = Policy::new(rules(), 7);
    policy.handle(Event::SetCount(1), Time::ZERO);
    policy.handle(Event::Started { place: 0, pid: 100 }, Time::ZERO);
    policy.handle(Event::Stop { grace: ms(10) }, Time::ZERO);
    let killed_at = Time::ZERO + ms(10);
    policy.handle(Event::Tick, killed_at);
    assert!(std::iter::from_fn(|| policy.poll_action()).any(|it| it == Action::Kill { place: 0 }));
    assert_eq!(policy.next_deadline(), Some(killed_at + KILL_WAIT));
    assert!(!policy.is_finished(killed_at));
    assert!(policy.is_finished(killed_at + KILL_WAIT));
    assert_eq!(policy.report().left, [100]);
}

#[test]
fn a_start_that_was_under_way_when_the_stop_came_is_undone() {
    let mut policy = Policy::new(rules(), 7);
    policy.handle(Event::SetCount(2), Time::ZERO);
    policy.handle(Event::Stop { grace: ms(10) }, Time::ZERO);
    policy.handle(Event::Started { place: 0, pid: 100 }, Time::ZERO);
    policy.handle(
        Event::NotStarted {
            place: 1,
            cause: CRASH,
        },
        Time::ZERO,
    );
    assert!(
        std::iter::from_fn(|| policy.poll_action()).any(|it| it == Action::Terminate { place: 0 })
    );
    policy.handle(
        Event::Exited {
            place: 0,
            cause: CRASH,
        },
        Time::ZERO,
    );
    assert!(policy.is_finished(Time::ZERO));
}

#[test]
fn endless_durations_are_never_over() {
    let forever = Rules {
        backoff: Backoff {
            initial: Duration::MAX,
            max: Duration::MAX,
        },
        grace: Duration::MAX,
        ..rules()
    };
    let mut policy = Policy::new(forever, 7);
    let now = Time::ZERO + ms(1);
    policy.handle(Event::SetCount(2), now);
    policy.handle(Event::Started { place: 0, pid: 100 }, now);
    policy.handle(
        Event::Exited {
            place: 0,
            cause: CRASH,
        },
        now,
    );
    policy.handle(Event::Started { place: 1, pid: 101 }, now);
    policy.handle(
        Event::Stop {
            grace: Duration::MAX,
        },
        now,
    );
    assert_eq!(policy.snapshot()[0].state, ProcessState::Stopping);
    assert!(!policy.is_finished(now + Duration::from_secs(1_000_000_000)));
}

#[derive(Debug, Clone)]
enum Step {
    SetCount(usize),
    Restart(usize),
    Crash(usize),
    Advance(u64),
    Startable(bool),
    Obedient(bool),
    Stop(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..6_usize).prop_map(Step::SetCount),
        2 => (0..7_usize).prop_map(Step::Restart),
        8 => (0..7_usize).prop_map(Step::Crash),
        8 => (0..1_500_u64).prop_map(Step::Advance),
        1 => any::<bool>().prop_map(Step::Startable),
        1 => any::<bool>().prop_map(Step::Obedient),
        1 => (0..1_500_u64).prop_map(Step::Stop),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The world's own assertions are the properties: no more processes than wanted and told to go,
    /// none doubled or forgotten, waits within their limits and kept, no start after the stop, no
    /// spinning.
    #[test]
    fn any_history_keeps_the_group_in_bounds_and_ends(steps in steps(), seed: u64) {
        let mut world = World::new(rules(), seed);
        world.set_count(2);
        for step in steps {
            match step {
                Step::SetCount(count) => world.set_count(count),
                Step::Restart(place) => world.restart(place),
                Step::Crash(place) => world.crash(place),
                Step::Advance(milliseconds) => world.advance(ms(milliseconds)),
                Step::Startable(startable) => world.startable = startable,
                Step::Obedient(obedient) => world.obedient = obedient,
                Step::Stop(grace) => world.stop(ms(grace)),
            }
        }
        if !world.stopping {
            // Wanted, tried again and left alone, every place has its process.
            world.startable = true;
            world.set_count(4);
            (0..4).for_each(|place| world.restart(place));
            world.advance(ms(2_000));
            prop_assert_eq!(world.processes.len(), 4);
        }
        world.stop(ms(1_500));
        world.advance(ms(1_500));
        prop_assert!(world.policy.is_finished(world.now));
        prop_assert!(world.processes.is_empty());
        prop_assert_eq!(world.policy.report().left, Vec::<u32>::new());
    }
}
