//! Plants defects in the core of the master, one at a time, and shows that the simulator finds each.

#![forbid(unsafe_code)]

use std::env;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tests::mutants::hunt::{Finding, here, hunt};
use tests::mutants::{MUTANTS, build, control_seeds};

/// Plants defects in the core of the master, one at a time, and shows that the simulator finds each.
///
/// Builds the core in such a way that it can have them, then runs the simulator on each until a seed finds something. Last it does
/// so on the core without any. The exit status is 70 if a defect was not found within its number of seeds, or something was found
/// where there is none.
#[derive(Parser)]
#[command(name = "mutants", args_conflicts_with_subcommands = true)]
struct Cli {
    /// Plants this one alone; may be given more than once.
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(MUTANTS.iter().map(|(name, _)| *name)))]
    mutant: Vec<String>,
    /// How many seeds to try at most, instead of the number stated for each.
    #[arg(long)]
    seeds: Option<u64>,
    /// Prints one line of JSON instead of text for people.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Runs the simulator on the core of this very program.
    #[command(hide = true)]
    Here {
        #[arg(long)]
        seeds: u64,
    },
}

/// What came of one hunt.
struct Row {
    /// `None` is the core without a defect.
    mutant: Option<&'static str>,
    allowed: u64,
    finding: Finding,
}

impl Row {
    fn is_as_expected(&self) -> bool {
        self.mutant.is_some() == self.finding.violation.is_some()
    }
}

fn main() -> ExitCode {
    if build::is_called_as_rustc() {
        let error = build::become_rustc(env::args_os().skip(1));
        eprintln!("mutants: {error}");
        return sysexits::ExitCode::OsErr.into();
    }
    let cli = Cli::parse();
    let outcome = match cli.role {
        Some(Role::Here { seeds }) => find(seeds),
        None => hunt_all(&cli),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => sysexits::ExitCode::Software.into(),
        Err(error) => {
            eprintln!("mutants: {error}");
            sysexits::ExitCode::IoErr.into()
        }
    }
}

fn find(seeds: u64) -> io::Result<bool> {
    // A panic of the core is a finding like any other.
    std::panic::set_hook(Box::new(|_| {}));
    let line = serde_json::to_string(&here(seeds))?;
    writeln!(io::stdout(), "{line}")?;
    Ok(true)
}

fn hunt_all(cli: &Cli) -> io::Result<bool> {
    let program = build::build()?;
    let asked = |name: &str| cli.mutant.is_empty() || cli.mutant.iter().any(|asked| asked == name);
    let mutants = (MUTANTS.iter())
        .filter(|(name, _)| asked(name))
        .map(|(name, seeds)| (Some(*name), *seeds));
    let hunts: Vec<_> = mutants.chain([(None, control_seeds())]).collect();

    let start = Instant::now();
    let bar = ProgressBar::new(hunts.len() as u64);
    // The template is a constant; were it wrong, the default style would do.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    let mut rows = Vec::new();
    for (mutant, seeds) in hunts {
        bar.set_message(mutant.unwrap_or("none"));
        let allowed = cli.seeds.unwrap_or(seeds);
        rows.push(Row {
            mutant,
            allowed,
            finding: hunt(&program, mutant, allowed)?,
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    print(cli, &rows, start.elapsed())?;
    Ok(rows.iter().all(Row::is_as_expected))
}

fn print(cli: &Cli, rows: &[Row], took: Duration) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if cli.json {
        let hunts: Vec<_> = (rows.iter())
            .map(|row| {
                json!({
                    "mutant": row.mutant,
                    "seeds_allowed": row.allowed,
                    "seeds": row.finding.seeds,
                    "violation": row.finding.violation,
                })
            })
            .collect();
        let as_expected = rows.iter().all(Row::is_as_expected);
        let line = json!({
            "hunts": hunts,
            "as_expected": as_expected,
            "seconds": took.as_secs_f64(),
        });
        return writeln!(out, "{line}");
    }
    writeln!(
        out,
        "{:24} {:>7} {:>8}  found",
        "mutant", "seeds", "allowed"
    )?;
    for row in rows {
        let found = match (&row.finding.violation, row.mutant) {
            (Some(violation), _) => violation.as_str(),
            (None, None) => "nothing",
            (None, Some(_)) => "nothing, which is a failure",
        };
        writeln!(
            out,
            "{:24} {:>7} {:>8}  {found}",
            row.mutant.unwrap_or("none"),
            row.finding.seeds,
            row.allowed,
        )?;
    }
    let expected = rows.iter().filter(|row| row.is_as_expected()).count();
    writeln!(
        out,
        "{expected} of {} as it should be; {:.0} s",
        rows.len(),
        took.as_secs_f64()
    )
}
