//! Every shader, expanded for a grid of shapes, parses and validates with naga and keeps to the smallest
//! workgroup memory and thread count a WebGPU device may have. No GPU or driver needed.

use alrnn_gpu::backend::gpu::consts::{Capacity, Layout};
use alrnn_gpu::backend::gpu::kernel::Name;
use alrnn_gpu::model::{Dims, Shape};

fn layouts() -> Vec<Layout> {
    let mut layouts = Vec::new();
    for m in [1, 2, 3, 20, 33, 50, 64, 65, 100, 130, 133, 256] {
        for n in [1, 3, m] {
            for (s, k) in [(1, 0), (5, 2), (16, 0), (256, 1)] {
                if n <= m {
                    let dims = Dims::new(m, n, k).expect("valid");
                    let shape = Shape::new(dims, s, 7).expect("valid");
                    layouts.push(Layout::new(shape, s == 5, Capacity::FLOOR));
                }
            }
        }
    }
    layouts
}

#[test]
fn every_shader_validates_for_every_shape() {
    for layout in layouts() {
        for name in Name::ALL {
            let shader = name
                .shader(&name.constants(&layout))
                .unwrap_or_else(|e| panic!("{layout:?}: {e}"));
            let Capacity {
                workgroup_memory,
                threads,
            } = Capacity::FLOOR;
            assert!(
                shader.workgroup_memory as usize <= workgroup_memory,
                "{layout:?}: {name:?} takes {} bytes of workgroup memory",
                shader.workgroup_memory
            );
            assert!(shader.workgroup_size as usize <= threads, "{layout:?}: {name:?}");
            assert!(
                shader.bindings.len() <= 9,
                "{name:?} has more than 8 storage buffers"
            );
        }
    }
}
