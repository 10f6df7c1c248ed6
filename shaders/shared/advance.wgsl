// One step of a team's rows, in the body of forward.wgsl and free_run.wgsl:
//   state = A o state + h + C s + W phi      with `phi[buffer]` of all rows, inputs at `s_at` of each quad's `s_step`
#for r in range(R)
#for v in range(V)
state[$r$][$v$] = fma(vec4(A_$r$), state[$r$][$v$], vec4(h_$r$));
#endfor
#endfor
#if INPUTS
for (var k = 0u; k < K; k++) {
    #for v in range(V)
    {
        let input = s[(quad + $v$) * s_step + s_at * K + k];
        #for r in range(R)
        state[$r$][$v$] = fma(vec4(theta[base + C_AT + i_$r$ * K + k]), input, state[$r$][$v$]);
        #endfor
    }
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
    #for v in range(V)
    {
        let p = phi[buffer][$j$][$u$][$v$];
        #for r in range(R)
        state[$r$][$v$] = fma(vec4(w[$r$]), p, state[$r$][$v$]);
        #endfor
    }
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
#for v in range(V)
{
    let p = phi[buffer][$j$][0][$v$];
    #for r in range(R)
    state[$r$][$v$] = fma(vec4(w[$r$][$j$]), p, state[$r$][$v$]);
    #endfor
}
#endfor
#endfor
#endif
