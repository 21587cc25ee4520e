//! The kernel: the loops over records that would be too slow in Python.
//!
//! Hides nothing from `kernel.py`, its only caller: both agree on the control block below.
//! Everything lies in linear memory; Python places buffers, fills the control block and makes
//! one call per block. The pure-Python codec beside it defines what every call means.
//!
//! Invariants
//! - No call reads or writes outside the buffers it was given, their slack included, whatever the
//!   bytes in them are; it neither panics nor runs for longer than linear in their size.
//! - Every buffer is followed by `SLACK` bytes that may be read, and written if it is output:
//!   short copies move 16 or 64 bytes at a time and may overshoot.
//! - A call that runs out of room says so and can be repeated with more.

#![no_std]
#![allow(clippy::missing_safety_doc, clippy::too_many_arguments)]

#[path = "kernel/bytes.rs"]
mod bytes;
#[path = "kernel/encode.rs"]
mod encode;
#[path = "kernel/hash.rs"]
mod hash;
#[path = "kernel/merge.rs"]
mod merge;
#[path = "kernel/render.rs"]
mod render;
#[path = "kernel/run.rs"]
mod run;
#[path = "kernel/smart.rs"]
mod smart;
#[path = "kernel/text.rs"]
mod text;

use core::ptr::addr_of_mut;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// Bytes after a buffer that short copies may touch.
pub const SLACK: u32 = 64;

/// What a call answers.
pub const DONE: u32 = 0; // the input is used up, or the range is done
pub const STOPPED: u32 = 1; // a rule of the caller's ended it
pub const MORE: u32 = 2; // a buffer is full: empty it and call again
pub const NEED_OUTPUT: u32 = 3; // one record needs `needed` bytes of output
pub const NEED_PLAIN: u32 = 4; // entry `entry` is compressed
pub const DAMAGED: u32 = 5; // entry `entry` does not verify

extern "C" {
    static __heap_base: u8;
}

/// Where Python may begin to place buffers.
#[no_mangle]
pub extern "C" fn heap_base() -> u32 {
    core::ptr::addr_of!(__heap_base) as u32
}

/// Prepares the tables of a new instance.
#[no_mangle]
pub unsafe extern "C" fn init() {
    bytes::crc32c_prepare();
}

/// The address of `encode`'s control block.
#[no_mangle]
pub extern "C" fn encode_control() -> u32 {
    addr_of_mut!(encode::CONTROL) as u32
}

/// The address of the control block of `load`, `render` and `merge`.
#[no_mangle]
pub extern "C" fn run_control() -> u32 {
    addr_of_mut!(run::CONTROL) as u32
}

/// The address of the control block of the `smart_…` calls, which use the run's, too.
#[no_mangle]
pub extern "C" fn smart_control() -> u32 {
    addr_of_mut!(smart::CONTROL) as u32
}

/// Delimited text to records.
#[no_mangle]
pub unsafe extern "C" fn encode() -> u32 {
    encode::encode(&mut *addr_of_mut!(encode::CONTROL))
}

/// Verifies a run of frames and indexes it.
#[no_mangle]
pub unsafe extern "C" fn load() -> u32 {
    run::load(&mut *addr_of_mut!(run::CONTROL))
}

/// Records to text, by a packed program.
#[no_mangle]
pub unsafe extern "C" fn render() -> u32 {
    render::render(&mut *addr_of_mut!(run::CONTROL))
}

/// Many small batches to one.
#[no_mangle]
pub unsafe extern "C" fn merge() -> u32 {
    merge::merge(&mut *addr_of_mut!(run::CONTROL))
}

/// Records to a SmartModule's input.
#[no_mangle]
pub unsafe extern "C" fn smart_input() -> u32 {
    smart::input(
        &mut *addr_of_mut!(smart::CONTROL),
        &mut *addr_of_mut!(run::CONTROL),
    )
}

/// Whether a SmartModule's output is records, and of which sources.
#[no_mangle]
pub unsafe extern "C" fn smart_check() -> u32 {
    smart::check(&mut *addr_of_mut!(smart::CONTROL))
}

/// Checked output to text.
#[no_mangle]
pub unsafe extern "C" fn smart_render() -> u32 {
    smart::render(
        &mut *addr_of_mut!(smart::CONTROL),
        &mut *addr_of_mut!(run::CONTROL),
    )
}

/// Checked output to a batch's records.
#[no_mangle]
pub unsafe extern "C" fn smart_pack() -> u32 {
    smart::pack(
        &mut *addr_of_mut!(smart::CONTROL),
        &mut *addr_of_mut!(run::CONTROL),
    )
}
