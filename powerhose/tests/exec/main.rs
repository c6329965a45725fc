//! Programs as workers: real ones, in Python and sh, alone and behind `powerhose worker`.

mod alone;
mod documented;
mod support;
mod worker;
