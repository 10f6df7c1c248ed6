// Products of matrices that all lie in the buffer `powers`.

// A factor: entry (i, j) at `at + i * down + j * along`.
struct Factor {
    at: u32,
    down: u32,
    along: u32,
}

// out = left right, or +=, for `rows x inner` times `inner x columns`; `out` has rows of `pitch` floats. A thread
// makes 4 x 4 entries at a time, in registers; neighbouring threads read neighbouring columns. The same thread makes
// the same entry of every product of this size, so two may be added to one matrix without a barrier between them.
fn multiply(lid: u32, out: u32, pitch: u32, rows: u32, inner: u32, columns: u32, left: Factor, right: Factor, add: bool) {
    let down = (rows + 3) / 4;
    let across = (columns + 3) / 4;
    for (var tile = lid; tile < down * across; tile += THREADS) {
        let row = tile / across;
        let column = tile % across;
        #for i in 0..4
        var a_@i = left.at + min(row + @i * down, rows - 1) * left.down;
        var b_@i = right.at + min(column + @i * across, columns - 1) * right.along;
        #end
        var sum: array<array<f32, 4>, 4>;
        for (var k = 0u; k < inner; k++) {
            #for i in 0..4
            let l_@i = powers[a_@i];
            let r_@i = powers[b_@i];
            a_@i += left.along;
            b_@i += right.down;
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
            let entry = out + (row + @i * down) * pitch + column + @j * across;
            powers[entry] = select(0.0, powers[entry], add) + sum[@i][@j];
        }
        #end
        #end
    }
}
