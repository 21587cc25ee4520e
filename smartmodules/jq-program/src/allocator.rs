//! An allocator for many small values that live for one record.
//!
//! jaq makes dozens of them for each record, and the standard allocator takes a third of the time
//! in sorting them out. Here freed blocks wait, by size, for the next of their size; they are
//! never joined, which programs that do the same again and again have no need of.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;

/// Sizes are rounded up to multiples of this, and blocks lie at such addresses.
const GRAIN_BYTES: usize = 16;
/// Larger blocks are the standard allocator's.
const SMALL_BYTES_MAX: usize = 256;
const CLASS_COUNT: usize = SMALL_BYTES_MAX / GRAIN_BYTES;
/// Blocks are cut from slabs of this size.
const SLAB_BYTES: usize = 64 << 10;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: Allocator = Allocator::new();

struct Allocator {
    /// The first free block of each class; each block begins with the address of the next.
    free: [Cell<*mut u8>; CLASS_COUNT],
    slab: Cell<*mut u8>,
    slab_left_bytes: Cell<usize>,
}

// SAFETY: a SmartModule has one thread.
unsafe impl Sync for Allocator {}

/// Returns the class of small blocks.
fn class_of(layout: Layout) -> Option<usize> {
    let small = layout.size() <= SMALL_BYTES_MAX && layout.align() <= GRAIN_BYTES;
    small.then(|| layout.size().div_ceil(GRAIN_BYTES) - 1)
}

// SAFETY: a block belongs to one owner: it is cut from a slab once, and in a list only while free.
// Not inlined: 200 KB of code would gain 4 %.
unsafe impl GlobalAlloc for Allocator {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout) else {
            // SAFETY: as the caller promises.
            return unsafe { System.alloc(layout) };
        };
        let block = self.free[class].get();
        if block.is_null() {
            return self.cut((class + 1) * GRAIN_BYTES);
        }
        // SAFETY: free blocks hold the address of the next one.
        self.free[class].set(unsafe { block.cast::<*mut u8>().read() });
        block
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(class) = class_of(layout) else {
            // SAFETY: as the caller promises; such a layout was the standard allocator's before.
            return unsafe { System.dealloc(block, layout) };
        };
        // SAFETY: the block is nobody's any more, aligned, and has room for an address.
        unsafe { block.cast::<*mut u8>().write(self.free[class].get()) };
        self.free[class].set(block);
    }

    #[inline(never)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (class_of(layout), class_of(new)) {
            (None, None) => unsafe { System.realloc(block, layout, size) },
            (old_class, new_class) if old_class == new_class => block,
            // SAFETY: the new block is another one, and both have that many bytes.
            _ => unsafe {
                let moved = self.alloc(new);
                if !moved.is_null() {
                    moved.copy_from_nonoverlapping(block, layout.size().min(size));
                    self.dealloc(block, layout);
                }
                moved
            },
        }
    }
}

impl Allocator {
    const fn new() -> Self {
        Self {
            free: [const { Cell::new(null_mut()) }; CLASS_COUNT],
            slab: Cell::new(null_mut()),
            slab_left_bytes: Cell::new(0),
        }
    }

    fn cut(&self, byte_count: usize) -> *mut u8 {
        if self.slab_left_bytes.get() < byte_count {
            // SAFETY: the layout is valid, and has a size.
            let slab =
                unsafe { System.alloc(Layout::from_size_align_unchecked(SLAB_BYTES, GRAIN_BYTES)) };
            if slab.is_null() {
                return slab;
            }
            self.slab.set(slab);
            self.slab_left_bytes.set(SLAB_BYTES);
        }
        let block = self.slab.get();
        self.slab.set(block.wrapping_add(byte_count));
        self.slab_left_bytes
            .set(self.slab_left_bytes.get() - byte_count);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block that somebody has, all of it filled with one byte.
    struct Held {
        block: *mut u8,
        layout: Layout,
        byte: u8,
    }

    impl Held {
        fn fill(&self) {
            unsafe { self.block.write_bytes(self.byte, self.layout.size()) };
        }

        fn is_full(&self, byte_count: usize) -> bool {
            let bytes = unsafe { std::slice::from_raw_parts(self.block, byte_count) };
            bytes.iter().all(|byte| *byte == self.byte)
        }
    }

    #[test]
    fn blocks_are_apart_aligned_and_keep_what_is_in_them() {
        let allocator = Allocator::new();
        let mut random = 1u64;
        let mut below = |limit: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            ((random >> 33) % limit) as usize
        };
        let mut held: Vec<Held> = Vec::new();
        for round in 0..100_000 {
            let size = 1 + below(400);
            if held.len() < 200 && below(3) > 0 {
                let layout = Layout::from_size_align(size, 1 << below(6)).unwrap();
                let block = unsafe { allocator.alloc(layout) };
                assert_eq!(0, block as usize % layout.align());
                held.push(Held {
                    block,
                    layout,
                    byte: round as u8,
                });
                held.last().unwrap().fill();
            } else if !held.is_empty() {
                let index = below(held.len() as u64);
                let Held {
                    block,
                    layout,
                    byte,
                } = held.swap_remove(index);
                assert!(
                    Held {
                        block,
                        layout,
                        byte
                    }
                    .is_full(layout.size())
                );
                if below(2) == 0 {
                    unsafe { allocator.dealloc(block, layout) };
                    continue;
                }
                let block = unsafe { allocator.realloc(block, layout, size) };
                let common = layout.size().min(size);
                let layout = Layout::from_size_align(size, layout.align()).unwrap();
                let moved = Held {
                    block,
                    layout,
                    byte,
                };
                assert!(moved.is_full(common));
                moved.fill();
                held.push(moved);
            }
        }
        for Held { block, layout, .. } in held {
            unsafe { allocator.dealloc(block, layout) };
        }
    }
}
