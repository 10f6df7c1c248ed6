// One step of a team's rows, in the body of forward.wgsl and free_run.wgsl:
//   state = A o state + h + C s + W phi      with `phi[buffer]` of all rows, inputs at `s_at` of each quad's `s_step`
#for r in range(R)
state[$r$] = fma(vec4(A_$r$), state[$r$], vec4(h_$r$));
#endfor
#if INPUTS
for (var k = 0u; k < K; k++) {
    let input = s[quad * s_step + s_at * K + k];
    #for r in range(R)
    state[$r$] = fma(vec4(theta[base + C_AT + i_$r$ * K + k]), input, state[$r$]);
    #endfor
}
#endif
#if WIDE
#macro column(j, u)
{
    // Free runs have a row to a thread and read single words.
    #if R == 1
    let w = vec4(copies[own + (4 * $j$ + $u$) * PITCH]);
    #else
    let w = copies[own + (4 * $j$ + $u$) * QUARTER];
    #endif
    let p = phi[buffer][$j$][$u$];
    #for r in range(R)
    state[$r$] = fma(vec4(w[$r$]), p, state[$r$]);
    #endfor
}
#endmacro
// Four in the source, because the end that is put to every loop for safety's sake costs as much as one.
for (var j = 0u; j < M / 4; j++) {
    #for u in range(4)
    $column("j", u)$
    #endfor
}
#for u in range(M % 4)
$column(M // 4, u)$
#endfor
#else
#for j in range(M)
{
    let p = phi[buffer][$j$][0];
    #for r in range(R)
    state[$r$] = fma(vec4(w[$r$][$j$]), p, state[$r$]);
    #endfor
}
#endfor
#endif
