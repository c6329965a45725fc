//! The worker as a master sees it: a bare ROUTER socket, driven by hand.

mod handlers;
mod leaving;
mod process;
mod registration;
mod settings;
mod support;
