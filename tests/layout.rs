//! The Rust mirrors of the shaders' structs against naga's reading of the shaders: names, offsets, sizes.

use alrnn_gpu::backend::gpu::layout::Arrangement;
use alrnn_gpu::backend::gpu::layout::plain::{Capacity, Layout, Team};
use alrnn_gpu::backend::gpu::memory::params::mirrors;
use alrnn_gpu::backend::gpu::schedule::step::{free_run_constants, step};
use alrnn_gpu::backend::gpu::shader::reflect::Shader;
use alrnn_gpu::backend::gpu::statistics::{Sizes, team};
use alrnn_gpu::model::{Dims, Shape};

#[test]
fn structs_have_the_layout_naga_gives_them() {
    let dims = Dims::new(20, 3, 0).expect("valid");
    let layout = Layout::new(Shape::new(dims, 16, 200).expect("valid"), false, Capacity::FLOOR);
    let mut compared = 0;
    let step = step(&Arrangement::Plain(layout)).into_iter();
    let free_run = free_run_constants(&layout, Team::of_free_run(dims.M, Capacity::FLOOR), dims.N);
    let kernels = step.map(|launch| (launch.kernel, launch.constants));
    let sizes = Sizes {
        dims,
        models: 24,
        rows: 100,
        axes: 3,
        bins: 30,
        columns: 3,
        segment: 16,
    };
    let statistics = sizes.kernels(&layout, team(&layout, Capacity::FLOOR));
    for (name, constants) in kernels.chain([("free_run", free_run)]).chain(statistics) {
        let shader = Shader::of_kernel(name, &constants).expect("valid");
        let module = naga::front::wgsl::parse_str(&shader.source).expect("valid");
        for (mirror, fields, size) in mirrors() {
            let Some((_, ty)) = module
                .types
                .iter()
                .find(|(_, ty)| ty.name.as_deref() == Some(mirror))
            else {
                continue;
            };
            let naga::TypeInner::Struct { members, span } = &ty.inner else {
                panic!("{mirror} is no struct");
            };
            let seen: Vec<(&str, usize)> = members
                .iter()
                .map(|m| (m.name.as_deref().unwrap_or_default(), m.offset as usize))
                .collect();
            assert_eq!(seen, fields, "fields of {mirror} in {name}");
            assert_eq!(*span as usize, size, "size of {mirror} in {name}");
            assert_eq!(size % 16, 0, "{mirror} is no multiple of 16 bytes");
            let scalars = members.iter().all(|m| match module.types[m.ty].inner {
                naga::TypeInner::Scalar(scalar) => scalar.width == 4,
                _ => false,
            });
            assert!(scalars, "{mirror} has a member that is no 4-byte scalar");
            compared += 1;
        }
    }
    assert!(compared >= 8, "only {compared} structs were found");
}
