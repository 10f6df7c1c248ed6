// Products of matrices that all lie in a member's part of the buffer `powers`, from the list in the buffer `table` that
// src/backend/gpu/layout/products.rs makes: lines of links (place of the first product, tiles of all), then four lines a
// product: (out, pitch, 1 for +=, tiles), (rows, inner, columns, -), (at, down, along, -) of the left factor and of the
// right, whose entry (i, j) is at `at + i * down + j * along`. One call for all products: drivers inline functions.

// The products of a link are independent: their tiles are shared out together, and a barrier follows. A thread makes
// the 4 x 4 entries of a tile in registers; neighbouring threads read neighbouring columns.
fn multiply_all(lid: u32, base: u32, first: u32, links: u32) {
    for (var n = 0u; n < links; n++) {
        let link = table[first + n];
        for (var of_link = lid; of_link < link.y; of_link += THREADS) {
            var product = link.x;
            var tile = of_link;
            while tile >= table[product].w {
                tile -= table[product].w;
                product += 4u;
            }
            let result = table[product];
            let sizes = table[product + 1];
            let left = table[product + 2];
            let right = table[product + 3];
            let down = (sizes.x + 3) / 4;
            let across = (sizes.z + 3) / 4;
            let row = tile / across;
            let column = tile % across;
            #for i in range(4)
            var a_$i$ = base + left.x + min(row + $i$ * down, sizes.x - 1) * left.y;
            var b_$i$ = base + right.x + min(column + $i$ * across, sizes.z - 1) * right.z;
            #endfor
            var sum = array<array<f32, 4>, 4>();
            #macro add()
            {
                #for i in range(4)
                let l_$i$ = powers[a_$i$];
                let r_$i$ = powers[b_$i$];
                a_$i$ += left.z;
                b_$i$ += right.y;
                #endfor
                #for i in range(4)
                #for j in range(4)
                sum[$i$][$j$] = fma(l_$i$, r_$j$, sum[$i$][$j$]);
                #endfor
                #endfor
            }
            #endmacro
            // Four in the source, because the end that is put to every loop for safety's sake costs as much as one.
            for (var k = 0u; k < sizes.y / 4; k++) {
                #for u in range(4)
                $add()$
                #endfor
            }
            for (var k = 0u; k < sizes.y % 4; k++) {
                $add()$
            }
            #for i in range(4)
            #for j in range(4)
            if row + $i$ * down < sizes.x && column + $j$ * across < sizes.z {
                let entry = base + result.x + (row + $i$ * down) * result.y + column + $j$ * across;
                powers[entry] = select(0.0, powers[entry], result.z == 1) + sum[$i$][$j$];
            }
            #endfor
            #endfor
        }
        storageBarrier();
    }
}
