// Products of matrices that all lie in a member's part of the buffer `powers`, from the list in the buffer `cut` that
// src/backend/gpu/products.rs makes. An entry is four vec4: (out, pitch, 1 for +=, 1 for a barrier after it),
// (rows, inner, columns, -), (at, down, along, -) of the left factor and of the right: entry (i, j) of a factor is at
// `at + i * down + j * along`. One call for all products: drivers inline functions.

// A thread makes 4 x 4 entries at a time, in registers; neighbouring threads read neighbouring columns. The same
// thread makes the same entry of every product of a size, so two may add to one matrix without a barrier between them.
fn multiply_all(lid: u32, base: u32, first: u32, count: u32) {
    for (var n = 0u; n < count; n++) {
        let result = cut[first + 4 * n];
        let rows = cut[first + 4 * n + 1].x;
        let inner = cut[first + 4 * n + 1].y;
        let columns = cut[first + 4 * n + 1].z;
        let left = cut[first + 4 * n + 2];
        let right = cut[first + 4 * n + 3];
        let down = (rows + 3) / 4;
        let across = (columns + 3) / 4;
        for (var tile = lid; tile < down * across; tile += THREADS) {
            let row = tile / across;
            let column = tile % across;
            #for i in 0..4
            var a_@i = base + left.x + min(row + @i * down, rows - 1) * left.y;
            var b_@i = base + right.x + min(column + @i * across, columns - 1) * right.z;
            #end
            var sum: array<array<f32, 4>, 4>;
            for (var k = 0u; k < inner; k++) {
                #for i in 0..4
                let l_@i = powers[a_@i];
                let r_@i = powers[b_@i];
                a_@i += left.z;
                b_@i += right.y;
                #end
                #for i in 0..4
                #for j in 0..4
                sum[@i][@j] = fma(l_@i, r_@j, sum[@i][@j]);
                #end
                #end
            }
            #for i in 0..4
            #for j in 0..4
            if row + @i * down < rows && column + @j * across < columns {
                let entry = base + result.x + (row + @i * down) * result.y + column + @j * across;
                powers[entry] = select(0.0, powers[entry], result.z == 1) + sum[@i][@j];
            }
            #end
            #end
        }
        if result.w == 1 {
            storageBarrier();
        }
    }
}
