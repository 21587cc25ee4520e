//! The exports of a module: from pointers to slices and back.
//!
//! All `unsafe` code of the SDK is here and in the macro `smartmodule`.

use crate::buffers::Buffers;
use crate::reply::{Answer, Code};
use crate::{SmartModule, init::init};
use std::cell::UnsafeCell;

/// A module's state, in a static of its own.
pub struct Instance<M>(UnsafeCell<State<M>>);

struct State<M> {
    module: Option<M>,
    buffers: Buffers,
}

// SAFETY: a SmartModule has one thread.
unsafe impl<M> Sync for Instance<M> {}

type Run<M> = for<'a> fn(&mut M, &'a mut [u8], i32, &'a mut Vec<u8>) -> Answer<'a>;

impl<M: SmartModule> Instance<M> {
    pub const fn empty() -> Self {
        Self(UnsafeCell::new(State {
            module: None,
            buffers: Buffers::new(),
        }))
    }

    pub fn alloc(&self, byte_count: usize) -> *mut u8 {
        self.with(|state| state.buffers.lend(byte_count))
    }

    pub fn dealloc(&self, pointer: *const u8) {
        self.with(|state| state.buffers.give_back(pointer));
    }

    pub fn init(&self, pointer: *const u8, byte_count: usize, version: i32) -> i32 {
        self.call(
            pointer,
            byte_count,
            Code::InitCannotDecode,
            |module, input, out| init(module, input, version, out),
        )
    }

    pub fn run(&self, pointer: *const u8, byte_count: usize, version: i32, run: Run<M>) -> i32 {
        self.call(
            pointer,
            byte_count,
            Code::CannotDecode,
            |module, input, out| {
                // A host that leaves out `init` means that there are no parameters.
                let module = module.as_mut().ok_or(Code::CannotParseParams)?;
                run(module, input, version, out)
            },
        )
    }

    fn call(
        &self,
        pointer: *const u8,
        byte_count: usize,
        not_lent: Code,
        run: impl for<'a> FnOnce(&mut Option<M>, &'a mut [u8], &'a mut Vec<u8>) -> Answer<'a>,
    ) -> i32 {
        let (status, bytes) = self.with(|state| {
            let Some((input, out)) = state.buffers.take(pointer, byte_count) else {
                return (not_lent as i32, (pointer, 0));
            };
            match run(&mut state.module, input, out) {
                Ok(reply) => (reply.status, (reply.bytes.as_ptr(), reply.bytes.len())),
                Err(code) => (code as i32, (pointer, 0)),
            }
        });
        // Outside of `with`: a host may copy at once, and call `dealloc` from there.
        if bytes.1 > 0 {
            copy_records(bytes.0, bytes.1);
        }
        status
    }

    fn with<T>(&self, run: impl FnOnce(&mut State<M>) -> T) -> T {
        // SAFETY: one thread, and nothing that runs in here calls the host.
        run(unsafe { &mut *self.0.get() })
    }
}

#[cfg(target_arch = "wasm32")]
fn copy_records(pointer: *const u8, byte_count: usize) {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        fn copy_records(pointer: *const u8, byte_count: usize);
    }
    // SAFETY: the host reads bytes that stay where they are until the next call.
    unsafe { copy_records(pointer, byte_count) }
}

#[cfg(not(target_arch = "wasm32"))]
fn copy_records(_: *const u8, _: usize) {
    unreachable!("only hosts of WebAssembly call exports");
}
