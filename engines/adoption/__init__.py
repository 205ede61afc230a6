"""Adopting an AIGC-Gateway installation: OpenKruiseGame GameServerSets in, a catalog document and findings out. Pure.

`documents` finds GameServerSets in YAML files and API lists, `plan` turns them into one catalog document, and every other module
here reads one part of a GameServerSet. Nothing here knows Django, the database or a cluster.

The shapes are those of game.kruise.io/v1alpha1 (github.com/openkruise/kruise-game, apis/v1alpha1/gameserverset_types.go): a Pod
template with volumeClaimTemplates under `spec.gameServerTemplate`, the way in from outside under `spec.network`.
"""
